/*
 * submission_internal: the state of the submission role, shared by the files that connect its parts
 * (submission, certificates, listener, smtpd_connection, services, account_recheck) and not used
 * elsewhere.
 */
#ifndef SUBMISSION_SUBMISSION_INTERNAL_H
#define SUBMISSION_SUBMISSION_INTERNAL_H

#include <sys/queue.h>

#include "ipc/async_io.h"
#include "ipc/role.h"
#include "net/tls_credentials.h"
#include "submission/client_counts.h"
#include "submission/limit_tokens.h"
#include "submission/signer.h"

enum { SUBMISSION_LISTENERS = 64, SUBMISSION_CERTIFICATES = 64 };

struct smtpd_connection;
struct session_services;
struct recheck;

struct listener {
	struct submission *submission;
	unsigned index;          /* of conf->listen, as the socket was granted */
	struct conf_listen conf; /* port and TLS of this socket, also after a reload has changed
	                            what its index means */
	int fd;                  /* -1: none */
	struct event *event;
};

struct certificates_entry {
	struct buf pem;
	struct buf name;
};

struct submission {
	struct role *role;
	const struct session_services *services; /* of the session of each connection */
	struct event_base *base;
	struct channel *auth, *queue; /* NULL: not connected */
	struct role_peer auth_peer, queue_peer;
	struct signer *signer;
	struct limit_tokens *tokens;
	struct async_io *disk;    /* writes the files of all bodies, in its thread */
	struct message_room room; /* as the queue reported last */
	struct tls_server *tls;   /* NULL: no certificate can be used */
	struct event *tls_timer;  /* builds tls again */
	unsigned tls_failures;    /* in a row */
	unsigned char ticket_key[TLS_TICKET_KEY_BYTES];
	struct certificates_entry certificates[SUBMISSION_CERTIFICATES];
	struct listener listeners[SUBMISSION_LISTENERS];
	struct event *accept_timer; /* accepting pauses until it fires */
	int spare_fd; /* closed for a moment, to accept and close a client when no descriptor is
	                 left */
	struct client_counts *client_counts;
	LIST_HEAD(, smtpd_connection) connections;
	LIST_HEAD(, smtpd_connection)
	unchecked; /* auth is to be asked about their users */
	struct recheck *recheck;
	size_t connection_count;
	int64_t refused_logged_ms; /* when a refused connection was logged last */
	uint32_t refused_count;    /* not logged yet */
	struct event *stop_timer;
	bool is_stop_deadline_over; /* the time for stopping is over */
};

#endif
