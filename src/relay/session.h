/*
 * session: one connection to a host: a stream, a client, its deadlines.  It has one owner at a time
 * (a job, or the pool).
 */
#ifndef RELAY_SESSION_H
#define RELAY_SESSION_H

#include <sys/queue.h>

#include "net/stream.h"
#include "relay/client.h"
#include "relay/finder.h"

struct session;

/* Called from the loop, never from inside a call to the session. */
struct session_events {
	/* at first when it may be used, then at the end of each transaction */
	void (*ready)(struct session *s, void *arg);
	/* all is over; the owner looks at client_end and client_results and frees the session */
	void (*over)(struct session *s, void *arg);
};

struct session {
	LIST_ENTRY(session) all; /* the pool's */
	TAILQ_ENTRY(session) idle;
	int64_t idle_since_ms;
	struct event_base *base;
	struct found *found;
	struct tls_client *tls;
	struct stream *stream;
	struct client *client;
	const struct session_events *events;
	void *arg;
	char host[256];
	char address[INET6_ADDRSTRLEN_];
	char source[INET6_ADDRSTRLEN_];
	uint16_t port;
	enum client_tls level;
	unsigned armed; /* the client's turn that the deadline stands for */
	unsigned messages;
	bool is_connected;
	bool is_securing;
	bool tls_failed; /* the session ended in the handshake */
	bool is_quitting;
};

struct session_options {
	struct event_base *base;
	struct found *found;
	struct tls_client *tls;
	const char *host;
	const struct resolver_address *address;
	enum client_tls level;
	bool without_chunking;
	const struct session_events *events;
	void *arg;
};

struct session *session_open(const struct session_options *o);
void session_own(struct session *s, const struct session_events *events, void *arg);
/* READY or OVER: it ended at once, and no event follows.  WAIT: one will. */
enum client_step session_send(struct session *s, const struct outgoing *message);
/* Says QUIT and waits shortly for the other side; `over` follows. */
void session_quit(struct session *s);
void session_free(struct session **s);
/* "none", "opportunistic", "encrypt", "verify" */
const char *session_tls(const struct session *s);

#endif
