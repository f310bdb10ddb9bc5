/*
 * resources_types: what the resources of one configuration consist of (main/resources.h): each
 * role's part of the configuration, the listening sockets, the files, and the log; and why they
 * were refused.
 */
#ifndef MAIN_RESOURCES_TYPES_H
#define MAIN_RESOURCES_TYPES_H

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

#endif
