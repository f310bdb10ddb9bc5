/*
 * smtpd_connection: one client: its stream, its session, the one request that is open for it, and
 * the file of the message that is too large for a packet.
 */
#ifndef SUBMISSION_SMTPD_CONNECTION_H
#define SUBMISSION_SMTPD_CONNECTION_H

#include "net/stream.h"
#include "submission/session.h"
#include "submission/submission_internal.h"

enum { SMTPD_CONNECTION_NETWORK_MAX = 8 };

struct smtpd_connection {
	LIST_ENTRY(smtpd_connection) link;
	LIST_ENTRY(smtpd_connection) unchecked_link;
	bool is_unchecked;
	struct submission *gate;
	struct stream *stream;
	struct session *session; /* NULL: only the last words are being sent */
	struct request request;  /* to auth or the queue: at most one */
	struct limit_tokens_waiter token; /* instead of a request: for a recipient */
	unsigned token_generation; /* of the tokens that are held */
	uint32_t tokens_held;
	struct async_io_file *file; /* of the spool; NULL: none */
	struct msgid file_of;   /* its message */
	bool wants_tls;
	bool is_waiting; /* for an answer: nothing is taken meanwhile */
	uint8_t network_bytes;
	char network[SMTPD_CONNECTION_NETWORK_MAX];
	char client[INET6_ADDRSTRLEN_];
	uint64_t id;
	int64_t began_ms;
	uint64_t bytes_in;
};

/* For services.c: goes on after an answer. */
void smtpd_connection_run(struct smtpd_connection *c, enum session_step step);

/* Who was let in. */
struct smtpd_connection_client {
	int fd;
	struct sockaddr_storage from;
	struct str network; /* within from */
};

/* Takes over the socket.  The client was counted under its network and is given back at the end. */
void smtpd_connection_new(struct submission *g, const struct smtpd_connection_client *guest,
    const struct conf_listen *listen);

void smtpd_connection_user_gone(struct submission *g, struct str user);
/* Whether its user still is one, is to be asked; is asked. */
void smtpd_connection_set_unchecked(struct smtpd_connection *c);
void smtpd_connection_set_checked(struct smtpd_connection *c);
/* Says goodbye to all that are idle; the others end after their message. */
void smtpd_connection_stop_all(struct submission *g);
/* Closes what is left, at once. */
void smtpd_connection_free_all(struct submission *g);

#endif
