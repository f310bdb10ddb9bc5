/*
 * smtpd_connection: one client connection: its stream, its session, the one request that is open
 * for it, and the file of a message that is too large for one packet.
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
	struct submission *submission;
	struct stream *stream;
	struct session *session;          /* NULL: has ended; the last replies are being sent */
	struct request request;           /* to auth or the queue: at most one */
	struct limit_tokens_waiter token; /* instead of a request: for a recipient */
	unsigned token_generation;        /* of the tokens that are held */
	uint32_t tokens_held;
	struct async_io_file *file; /* of the spool; NULL: none */
	struct msgid file_of;       /* the message of the file */
	bool wants_tls;
	bool is_waiting; /* for an answer: no input is taken meanwhile */
	uint8_t network_bytes;
	char network[SMTPD_CONNECTION_NETWORK_MAX];
	char client[INET6_ADDRSTRLEN_];
	uint64_t id;
	int64_t began_ms;
	uint64_t bytes_in;
};

/* Continues the session after this step; services.c calls it with each answer. */
void smtpd_connection_run(struct smtpd_connection *c, enum session_step step);

/* An accepted client. */
struct smtpd_connection_client {
	int fd;
	struct sockaddr_storage from;
	struct str network; /* part of `from` */
};

/* Takes over the socket. The client was counted under its network, and is removed from the count at
 * the end. */
void smtpd_connection_new(struct submission *submission,
    const struct smtpd_connection_client *client, const struct conf_listen *listen);

/* Ends all sessions of a user who was suspended or removed. */
void smtpd_connection_user_gone(struct submission *submission, struct str user);
/* The session's user is to be asked about, or is not; see account_recheck. */
void smtpd_connection_set_unchecked(struct smtpd_connection *c);
void smtpd_connection_set_checked(struct smtpd_connection *c);
/* Closes all sessions that have no message in progress; the others end after their message. */
void smtpd_connection_stop_all(struct submission *submission);
/* Closes all connections at once. */
void smtpd_connection_free_all(struct submission *submission);

#endif
