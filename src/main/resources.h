/*
 * resources: what main has opened for the roles under one configuration: each role's part of the
 * configuration as a sealed memory file, listening sockets, certificates, keys and other files, and
 * the log.  Everything is opened, or nothing, before any role is changed: a reload that fails has
 * no effect.  A role that is started again gets the same descriptors; nothing is opened then.
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
	struct str path;   /* as configured */
	int fd;            /* -1: not open; the role does not get it */
	int error;         /* errno of the failed open or read; 0: none */
	/* only for files of the system (main/resources_system.h): */
	int postponed_error;       /* errno for which the next read was postponed; 0: none */
	/* network interfaces that it names, as they were when it was read */
	struct resolv_conf_links links;
};

struct resources {
	struct conf *conf;                             /* a counted reference */
	int configs[ROLE_KINDS];                       /* -1: main */
	int listeners[SUBMISSION_MAX][LISTEN_MAX];     /* -1: none */
	unsigned submission_count;
	struct resources_file *files;
	size_t file_count;
	/* the result of the check of certificates and keys */
	struct tls_files *tls;
	struct os_log log;
};

/* Why the resources were not opened. */
struct resources_refusal {
	int status;     /* exit status */
	uint32_t pairs; /* a bit for each certificate with a fault; 0: another reason */
	char why[DAEMON_REASON_BYTES];
	char faults[TLS_FILES_MAX][DAEMON_REASON_BYTES]; /* for each of those pairs */
};

/* Opens everything for c.  For a reload, `before` is what is in use: its sockets are kept where
 * address and port are the same.  Returns NULL on failure: *out says what failed, for which role,
 * with which error.  A certificate that cannot be used with its key refuses a reload; at a start
 * (before NULL) it is left out, unless there is no other one, and then does not refuse a reload
 * either.  Other files that are missing or may not be read at the start are logged and left out.
 * Free with resources_free. */
struct resources *resources_new(struct conf *c, const struct resources *before,
    unsigned submission_count, struct resources_refusal *out) MUST_USE;
/* Closes and frees everything; NULL does nothing.  Sets *resources to NULL. */
void resources_free(struct resources **resources);

/* After resources are replaced: shuts down those of their listening sockets that `current` (NULL:
 * none) does not have, so that no client can connect to them, even if a process that does not end
 * still has them open. */
void resources_shut_listeners(const struct resources *o, const struct resources *current);

/* True if there is a usable certificate with its key.  Without one no client can log in. */
bool resources_has_certificate(const struct resources *resources);

/* Opens and checks all certificates and keys again; replaces all of them or none, with the rules of
 * a reload. */
bool resources_renew_certificates(
    struct resources *resources, struct resources_refusal *out) MUST_USE;

#endif
