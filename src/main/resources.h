/*
 * resources: what main has opened for the roles under one configuration: each role's part of it as
 * a sealed memory file, listening sockets, certificates, keys and other files, and the log.  They
 * are opened all or not at all, before any role hears of it: a reload that cannot be carried out
 * changes nothing.  A role that is started again gets the same descriptors; nothing is opened then.
 */
#ifndef MAIN_RESOURCES_H
#define MAIN_RESOURCES_H

#include "main/daemon.h"
#include "main/os.h"
#include "main/tls_files.h"
#include "net/resolv_conf.h"

struct resources_file {
	enum role_kind role;
	enum role_grant kind;
	unsigned index;
	struct str path;   /* of the configuration */
	int fd;            /* -1: not given to the role */
	int error;         /* why it could not be opened or read; 0: it could */
	/* of the system: */
	int put_off;       /* why it could not be read anew for now; 0: it could */
	struct resolv_conf_links links; /* that it names, as of then */
};

struct resources {
	struct conf *conf;                             /* counted */
	int configs[ROLE_KINDS];                       /* -1: main */
	int listeners[SUBMISSION_MAX][LISTEN_MAX];     /* -1: none */
	unsigned submission_count;
	struct resources_file *files;
	size_t file_count;
	struct tls_files *tls;                         /* what was found in them */
	struct os_log log;
};

/* Why there is none. */
struct resources_refusal {
	int status;     /* exit status */
	uint32_t pairs; /* certificates that it is for, a bit for each; 0: another reason */
	char why[DAEMON_REASON_BYTES];
	char faults[TLS_FILES_MAX][DAEMON_REASON_BYTES]; /* of each of those pairs */
};

/* For a reload `before` is what is in use: its sockets are kept where address and port are the
 * same.  NULL: the refusal says what failed, for which role and with which error.  A certificate
 * that cannot be used with its key refuses a reload, and a start when there is no other; beside
 * another one it is left out at a start, and then no reason against a reload.  Other files that may
 * not be read, or are not there, at the start (before NULL) are logged and left out. */
struct resources *resources_new(struct conf *c, const struct resources *before,
    unsigned submission_count, struct resources_refusal *out) MUST_USE;
void resources_free(struct resources **offer);

/* Of resources that are used no more: nobody can connect any longer to those of its sockets that
 * `now` (NULL: none) does not have, although a process that does not end may still hold them. */
void resources_shut_listeners(const struct resources *o, const struct resources *now);

/* Is there a certificate with its key?  Without one nobody can log in. */
bool resources_has_certificate(const struct resources *offer);

/* Opens and checks certificates and keys anew, all or none; as for a reload. */
bool resources_renew_certificates(struct resources *offer, struct resources_refusal *out) MUST_USE;

#endif
