/*
 * submission_internal: the inside of the submission role, shared by its glue (submission,
 * certificates, listener, connection) and by nobody else.
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
struct recheck;

struct listener {
	struct submission *gate;
	unsigned index; /* of conf->listen, as the socket was given */
	struct conf_listen conf; /* port and TLS of this socket, whatever its index means now */
	int fd;         /* -1: none */
	struct event *event;
};

struct certificates_entry {
	struct buf pem;
	struct buf name;
};

struct submission {
	struct role *role;
	struct event_base *base;
	struct channel *auth, *queue; /* NULL: not there now */
	struct role_peer auth_peer, queue_peer, keys_peer;
	struct signer *signer;
	struct limit_tokens *tokens;
	struct async_io *disk; /* the thread of all bodies in files */
	struct message_room room; /* that the queue told of last */
	struct tls_server *tls;  /* NULL: no certificate can be used */
	struct event *tls_timer; /* builds tls anew */
	unsigned tls_failures;   /* in a row */
	unsigned char ticket_key[TLS_TICKET_KEY_BYTES];
	struct certificates_entry certificates[SUBMISSION_CERTIFICATES];
	struct listener listeners[SUBMISSION_LISTENERS];
	struct event *accept_timer; /* accepting pauses until it fires */
	int spare_fd; /* given up to tell a client that there are no descriptors left */
	int clients_fd;
	struct client_counts *clients;
	LIST_HEAD(, smtpd_connection) connections;
	LIST_HEAD(, smtpd_connection)
	unchecked; /* auth is to be asked whether their users still are */
	struct recheck *recheck;
	size_t connection_count;
	int64_t crowded_ms; /* when a refused connection was logged last */
	uint32_t crowded;   /* how many since */
	struct event *stop_timer;
	bool is_last_call; /* the patience of stopping is over */
};

#endif
