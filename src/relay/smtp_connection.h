/*
 * smtp_connection: one connection to a host: a stream, a client, its deadlines.  It has one owner
 * at a time (an attempt, or the pool).
 */
#ifndef RELAY_SMTP_CONNECTION_H
#define RELAY_SMTP_CONNECTION_H

#include <sys/queue.h>

#include "net/stream.h"
#include "relay/destination_cache.h"
#include "relay/smtp_client.h"

struct smtp_connection;

/* Called from the loop, never from inside a call to the session. */
struct smtp_connection_events {
	/* at first when it may be used, then at the end of each transaction */
	void (*ready)(struct smtp_connection *s, void *arg);
	/* all is over; the owner looks at smtp_client_end and smtp_client_results and frees the
	 * session */
	void (*over)(struct smtp_connection *s, void *arg);
};

enum smtp_connection_state {
	SMTP_CONNECTION_CONNECTING,
	SMTP_CONNECTION_SECURING, /* the TLS handshake, at once or after STARTTLS */
	SMTP_CONNECTION_TALKING,  /* also while it waits idle in the pool */
	SMTP_CONNECTION_QUITTING, /* QUIT is said; what comes now is of no interest */
};

struct smtp_connection {
	LIST_ENTRY(smtp_connection) all; /* the pool's */
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
	int64_t content_until_ms; /* INT64_MAX: no content is on its way */
	unsigned armed_turn; /* the client's turn that the deadline stands for */
	unsigned messages;
	enum smtp_connection_state state;
	bool is_secure;  /* TLS stands */
	bool tls_failed; /* the session ended in the handshake */
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

struct smtp_connection *smtp_connection_open(const struct smtp_connection_options *o);
void smtp_connection_set_owner(
    struct smtp_connection *connection, const struct smtp_connection_events *events, void *arg);
/* READY or OVER: it ended at once, and no event follows.  WAIT: one will. */
enum smtp_client_step smtp_connection_send(
    struct smtp_connection *connection, struct message_source *message);
/* From the loop: content that the client awaits is there, or cannot be read; an event may come. */
void smtp_connection_content_ready(struct smtp_connection *connection);
/* Says QUIT and waits shortly for the other side; `over` follows. */
void smtp_connection_quit(struct smtp_connection *connection);
void smtp_connection_free(struct smtp_connection **connection);
/* The level of TLS and how far it came, for the log: "opportunistic", "encrypt", "verify" when it
 * stands; with ":not_begun" or ":handshake" behind when the session came only so far; "none": the
 * talk was to be in clear, or a message went in clear because the host has no TLS. */
const char *smtp_connection_tls(const struct smtp_connection *connection);

#endif
