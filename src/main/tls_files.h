/*
 * tls_files: the certificates and private keys that the configuration names, opened and checked
 * together.  One check for all who ask: config check, start, reload, a change of the files, status.
 */
#ifndef MAIN_TLS_FILES_H
#define MAIN_TLS_FILES_H

#include "conf/conf.h"
#include "net/certificate_facts.h"

enum { TLS_FILES_MAX = 32, TLS_FILES_FAULT_BYTES = 640 };

/* One file as it was opened. */
struct tls_files_file {
	int fd;    /* -1: not open */
	int error; /* why not */
};

/* One certificate with its key. */
struct tls_files_pair {
	char certificate_fault[TLS_FILES_FAULT_BYTES]; /* why it cannot be used; empty: it can */
	char key_fault[TLS_FILES_FAULT_BYTES];
	struct certificate_facts facts;          /* when certificate_fault is empty */
};

struct tls_files {
	size_t count;
	struct tls_files_file certificate[TLS_FILES_MAX], key[TLS_FILES_MAX]; /* the caller's */
	struct tls_files_pair pair[TLS_FILES_MAX];
};

/* Checks what is open, and fills the pairs; the files stay open.  In this process, which then has
 * had the keys in its memory; or (apart) in a child that ends at once: false with errno when there
 * can be none, or it does not end in time. */
void tls_files_check(const struct conf *c, struct tls_files *f);
bool tls_files_check_apart(const struct conf *c, struct tls_files *f) MUST_USE;

/* With -d: from now on the latter does as the former. */
void tls_files_use_no_child(void);

bool tls_files_pair_is_usable(const struct tls_files_pair *p);

enum tls_files_finding_kind {
	TLS_FILES_FAULT,   /* the pair cannot be used */
	TLS_FILES_EXPIRED, /* it is used, but clients refuse it now */
	TLS_FILES_WARNING
};

struct tls_files_finding {
	enum tls_files_finding_kind kind;
	size_t index;     /* of conf->tls */
	struct str place; /* "FILE:LINE" */
	const char *key;  /* "tls.certificate", "tls.private_key" */
	const char *text; /* begins with the name of the file */
};

typedef void tls_files_finding_fn(const struct tls_files_finding *finding, void *arg);

/* Every finding, in the order of the configuration, as of that time. */
void tls_files_each_finding(const struct conf *c, const struct tls_files *f, int64_t now_s,
    tls_files_finding_fn *hear, void *arg);

/* Opens, checks in this process, and adds what is found to the report.  What the caller may not
 * read is a warning: who checks need not be who starts the daemon. */
void tls_files_report(const struct conf *c, struct conf_report *report);

#endif
