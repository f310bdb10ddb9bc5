/*
 * smtp_connection: one connection to a host: a stream, an SMTP client and the deadlines.  It has
 * one user at a time (an attempt or the pool), which gets its events.  The pool owns it.
 */
#ifndef RELAY_SMTP_CONNECTION_H
#define RELAY_SMTP_CONNECTION_H

#include <sys/queue.h>

#include "net/stream.h"
#include "relay/destination_cache.h"
#include "relay/smtp_client.h"

struct smtp_connection;

/* Called from the loop, never from within a call of a function below. */
struct smtp_connection_events {
	/* first when the session is ready, then at the end of each transaction */
	void (*ready)(struct smtp_connection *connection, void *arg);
	/* the session has ended: the user reads smtp_client_end and smtp_client_results, and drops
	 * the connection */
	void (*over)(struct smtp_connection *connection, void *arg);
};

enum smtp_connection_state {
	SMTP_CONNECTION_CONNECTING,
	SMTP_CONNECTION_SECURING, /* the TLS handshake, at once or after STARTTLS */
	SMTP_CONNECTION_OPEN,  /* also while the connection is idle */
	SMTP_CONNECTION_QUITTING, /* QUIT was sent; further input is ignored */
};

struct smtp_connection {
	LIST_ENTRY(smtp_connection) all; /* the list of the pool */
	TAILQ_ENTRY(smtp_connection) idle;
	int64_t idle_since_ms;
	struct event_base *base;
	struct cached_destination *destination;
	struct tls_client *tls;
	struct stream *stream;
	struct smtp_client *client;
	const struct smtp_connection_events *events;
	void *arg;
	char host[256];
	char address[INET6_ADDRSTRLEN_];
	char source[INET6_ADDRSTRLEN_];
	uint16_t port;
	enum smtp_client_tls tls_level;
	int64_t content_until_ms; /* INT64_MAX: no content is being sent */
	unsigned armed_turn;      /* the turn of the client that the deadline was set for */
	unsigned messages;
	enum smtp_connection_state state;
	bool is_secure;  /* TLS is established */
	bool tls_failed; /* the session ended in the TLS handshake */
};

struct smtp_connection_options {
	struct event_base *base;
	struct cached_destination *destination;
	struct tls_client *tls;
	const char *host;
	const struct resolver_address *address;
	enum smtp_client_tls tls_level;
	bool without_chunking;
	const struct smtp_connection_events *events;
	void *arg;
};

/* Starts to connect; keeps references of the destination and of tls. */
struct smtp_connection *smtp_connection_open(const struct smtp_connection_options *o);
/* Changes the user, which gets all later events. */
void smtp_connection_set_owner(
    struct smtp_connection *connection, const struct smtp_connection_events *events, void *arg);
/* Starts a transaction.  READY or OVER: it has ended at once, and no event follows.  WAIT: an event
 * follows. */
enum smtp_client_step smtp_connection_send(
    struct smtp_connection *connection, struct message_source *message);
/* Called from the loop when content that the client awaits was read, or could not be read; may call
 * an event. */
void smtp_connection_content_ready(struct smtp_connection *connection);
/* Sends QUIT and waits a short time for the host to close; the event `over` follows. */
void smtp_connection_quit(struct smtp_connection *connection);
/* Closes the connection at once; no event follows. */
void smtp_connection_free(struct smtp_connection **connection);
/* The TLS level and how far it came, for the log. "opportunistic", "encrypt" or "verify": TLS is
 * established; with ":not_begun" or ":handshake" appended: the session ended before or in the
 * handshake. "none": the session was to be in plaintext, or a message was sent in plaintext because
 * the host does not offer TLS. */
const char *smtp_connection_tls(const struct smtp_connection *connection);

#endif
