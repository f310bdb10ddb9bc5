/*
 * connection_pool: owns all SMTP connections.  Connections that are idle wait here for the next
 * message to the same destination, for a limited time.  The pool does not know messages.
 */
#ifndef RELAY_CONNECTION_POOL_H
#define RELAY_CONNECTION_POOL_H

#include "relay/smtp_connection.h"

struct connection_pool;

enum {
	CONNECTION_POOL_IDLE_MS = 5000,
	CONNECTION_POOL_IDLE_MAX = 200,
	CONNECTION_POOL_MESSAGES_MAX = 100, /* in one connection */
};

/* Ends the process when there is no memory or no timer. */
struct connection_pool *connection_pool_new(struct event_base *base);
/* Closes every connection at once, without QUIT. */
void connection_pool_free(struct connection_pool **pool);

/* Opens a connection, which the pool owns. */
struct smtp_connection *connection_pool_open(
    struct connection_pool *pool, const struct smtp_connection_options *o);
/* Takes an idle connection for this destination and configuration out of the pool; NULL: there is
 * none.  The caller must then call smtp_connection_set_owner. */
struct smtp_connection *connection_pool_take(
    struct connection_pool *pool, const struct cached_destination *destination);
/* Returns a connection in state READY to the pool: it becomes idle, or is closed with QUIT. */
void connection_pool_give(struct connection_pool *pool, struct smtp_connection *connection);
/* Frees a connection that is over, and sets *connection to NULL. */
void connection_pool_drop(struct connection_pool *pool, struct smtp_connection **connection);
/* Closes all idle connections with QUIT. */
void connection_pool_flush(struct connection_pool *pool);

#endif
