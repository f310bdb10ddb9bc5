/*
 * smtp_connection: one connection to a host: a stream, a client, its deadlines.  It has one owner
 * at a time (a job, or the pool).
 */
#ifndef RELAY_SMTP_CONNECTION_H
#define RELAY_SMTP_CONNECTION_H

#include <sys/queue.h>

#include "net/stream.h"
#include "relay/destination_cache.h"
#include "relay/smtp_client.h"

struct visit;

/* Called from the loop, never from inside a call to the session. */
struct visit_events {
	/* at first when it may be used, then at the end of each transaction */
	void (*ready)(struct visit *s, void *arg);
	/* all is over; the owner looks at client_end and client_results and frees the session */
	void (*over)(struct visit *s, void *arg);
};

enum visit_state {
	VISIT_CONNECTING,
	VISIT_SECURING, /* the TLS handshake, at once or after STARTTLS */
	VISIT_TALKING,  /* also while it waits idle in the pool */
	VISIT_QUITTING, /* QUIT is said; what comes now is of no interest */
};

struct visit {
	LIST_ENTRY(visit) all; /* the pool's */
	TAILQ_ENTRY(visit) idle;
	int64_t idle_since_ms;
	struct event_base *base;
	struct found *found;
	struct tls_client *tls;
	struct stream *stream;
	struct client *client;
	const struct visit_events *events;
	void *arg;
	char host[256];
	char address[INET6_ADDRSTRLEN_];
	char source[INET6_ADDRSTRLEN_];
	uint16_t port;
	enum client_tls level;
	int64_t content_until_ms; /* INT64_MAX: no content is on its way */
	unsigned armed; /* the client's turn that the deadline stands for */
	unsigned messages;
	enum visit_state state;
	bool is_secure;  /* TLS stands */
	bool tls_failed; /* the session ended in the handshake */
};

struct visit_options {
	struct event_base *base;
	struct found *found;
	struct tls_client *tls;
	const char *host;
	const struct resolver_address *address;
	enum client_tls level;
	bool without_chunking;
	const struct visit_events *events;
	void *arg;
};

struct visit *visit_open(const struct visit_options *o);
void visit_own(struct visit *s, const struct visit_events *events, void *arg);
/* READY or OVER: it ended at once, and no event follows.  WAIT: one will. */
enum client_step visit_send(struct visit *s, struct outgoing *message);
/* From the loop: content that the client awaits is there, or cannot be read; an event may come. */
void visit_content(struct visit *s);
/* Says QUIT and waits shortly for the other side; `over` follows. */
void visit_quit(struct visit *s);
void visit_free(struct visit **s);
/* The level of TLS and how far it came, for the log: "opportunistic", "encrypt", "verify" when it
 * stands; with ":not_begun" or ":handshake" behind when the session came only so far; "none": the
 * talk was to be in clear, or a message went in clear because the host has no TLS. */
const char *visit_tls(const struct visit *s);

#endif
