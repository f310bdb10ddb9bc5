/*
 * connection_pool: all connections, and those among them that wait idle for the next message to the
 * same site.
 */
#ifndef RELAY_CONNECTION_POOL_H
#define RELAY_CONNECTION_POOL_H

#include "relay/smtp_connection.h"

struct pool;

enum {
	POOL_IDLE_MS = 5000,
	POOL_IDLE_MAX = 200,
	POOL_MESSAGES_MAX = 100, /* over one connection */
};

struct pool *pool_new(struct event_base *base);
/* Cuts every connection. */
void pool_free(struct pool **p);

/* Opens a connection that the pool knows of. */
struct visit *pool_open(struct pool *p, const struct visit_options *o);
/* An idle connection for this site and configuration, or NULL; visit_own follows. */
struct visit *pool_take(struct pool *p, const struct found *found);
/* The owner is done with a READY session: it becomes idle, or says QUIT. */
void pool_give(struct pool *p, struct visit *s);
/* The owner is done with a session that is over. */
void pool_drop(struct pool *p, struct visit **s);
/* All idle ones say QUIT. */
void pool_flush(struct pool *p);

#endif
