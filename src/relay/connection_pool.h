/*
 * connection_pool: all connections, and those among them that wait idle for the next message to the
 * same destination.
 */
#ifndef RELAY_CONNECTION_POOL_H
#define RELAY_CONNECTION_POOL_H

#include "relay/smtp_connection.h"

struct connection_pool;

enum {
	CONNECTION_POOL_IDLE_MS = 5000,
	CONNECTION_POOL_IDLE_MAX = 200,
	CONNECTION_POOL_MESSAGES_MAX = 100, /* over one connection */
};

struct connection_pool *connection_pool_new(struct event_base *base);
/* Cuts every connection. */
void connection_pool_free(struct connection_pool **pool);

/* Opens a connection that the pool knows of. */
struct smtp_connection *connection_pool_open(
    struct connection_pool *pool, const struct smtp_connection_options *o);
/* An idle connection for this destination and configuration, or NULL; smtp_connection_set_owner
 * follows. */
struct smtp_connection *connection_pool_take(
    struct connection_pool *pool, const struct cached_destination *destination);
/* The owner is done with a READY session: it becomes idle, or says QUIT. */
void connection_pool_give(struct connection_pool *pool, struct smtp_connection *connection);
/* The owner is done with a session that is over. */
void connection_pool_drop(struct connection_pool *pool, struct smtp_connection **connection);
/* All idle ones say QUIT. */
void connection_pool_flush(struct connection_pool *pool);

#endif
