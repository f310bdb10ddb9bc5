/*
 * tls_files: opens and checks the certificates and private keys that the configuration names.  All
 * use the same check: config check, start, reload, a change of the files, status.
 */
#ifndef MAIN_TLS_FILES_H
#define MAIN_TLS_FILES_H

#include "conf/conf.h"
#include "net/certificate_facts.h"

enum { TLS_FILES_MAX = 32, TLS_FILES_FAULT_BYTES = 640 };

/* The result of opening one file. */
struct tls_files_file {
	int fd;    /* -1: not open */
	int error; /* errno of the open */
};

/* One certificate with its key. */
struct tls_files_pair {
	char certificate_fault[TLS_FILES_FAULT_BYTES]; /* why it cannot be used; empty: usable */
	char key_fault[TLS_FILES_FAULT_BYTES];
	struct certificate_facts facts;          /* valid if certificate_fault is empty */
};

struct tls_files {
	size_t count;
	/* opened and closed by the caller */
	struct tls_files_file certificate[TLS_FILES_MAX], key[TLS_FILES_MAX];
	struct tls_files_pair pair[TLS_FILES_MAX];
};

/* Checks the open files, and fills in the pairs; the files stay open.  tls_files_check runs in this
 * process, which then has had the keys in its memory; tls_files_check_apart runs in a child that
 * ends at once.  False with errno: the child could not be created, or did not end in time. */
void tls_files_check(const struct conf *c, struct tls_files *f);
bool tls_files_check_apart(const struct conf *c, struct tls_files *f) MUST_USE;

/* With -d: from now on tls_files_check_apart also checks in this process. */
void tls_files_use_no_child(void);

/* True if neither certificate nor key has a fault. */
bool tls_files_pair_is_usable(const struct tls_files_pair *p);

enum tls_files_finding_kind {
	TLS_FILES_FAULT,   /* the pair cannot be used */
	TLS_FILES_EXPIRED, /* in use, but clients refuse it now */
	TLS_FILES_WARNING
};

struct tls_files_finding {
	enum tls_files_finding_kind kind;
	size_t index;     /* of conf->tls */
	struct str place; /* "FILE:LINE" */
	const char *key;  /* "tls.certificate", "tls.private_key" */
	const char *text; /* begins with the file name */
};

typedef void tls_files_finding_fn(const struct tls_files_finding *finding, void *arg);

/* Calls on_finding for every finding as of that time, in the order of the configuration. */
void tls_files_each_finding(const struct conf *c, const struct tls_files *f, int64_t now_s,
    tls_files_finding_fn *on_finding, void *arg);

/* Opens the files, checks them in this process, and adds the findings to the report.  A file that
 * the caller may not read is a warning: the caller may not be the user who starts the daemon. */
void tls_files_report(const struct conf *c, struct conf_report *report);

#endif
