/*
 * offer: what main has opened for the roles under one configuration: each role's part of it as a
 * sealed memory file, listening sockets, certificates, keys and other files, and the log.  An offer
 * is made whole or not at all, before any role hears of it: a reload that cannot be carried out
 * changes nothing.  A role that is started again gets the same descriptors; nothing is opened then.
 */
#ifndef MAIN_OFFER_H
#define MAIN_OFFER_H

#include "main/daemon.h"
#include "main/host.h"

struct offer_file {
	enum role_kind role;
	enum role_grant kind;
	unsigned index;
	struct str path;   /* of the configuration */
	int fd;            /* -1: it was not there at the start, which was logged */
};

struct offer {
	struct conf *conf;                             /* counted */
	int configs[ROLE_KINDS];                       /* -1: main */
	int listeners[SUBMISSION_MAX][LISTEN_MAX];     /* -1: none */
	unsigned submission_count;
	struct offer_file *files;
	size_t file_count;
	struct host_log log;
};

/* For a reload `before` is what is in use: its sockets are kept where address and port are the
 * same.  NULL: why_out says what failed, for which role and with which error.  A file that may not
 * be read, or is not there, at the start (before NULL) is logged and left out. */
struct offer *offer_new(struct conf *c, const struct offer *before, unsigned submission_count,
    char why_out[REASON_BYTES]) MUST_USE;
void offer_free(struct offer **offer);

/* Is there a certificate with its key?  Without one nobody can log in. */
bool offer_has_certificate(const struct offer *offer);

/* Opens certificates and keys anew, all or none. */
bool offer_renew_certificates(struct offer *offer, char why_out[REASON_BYTES]) MUST_USE;

#endif
