/*
 * connection_pool: a list of all connections, and a list of the idle ones in the order in which
 * they became idle.  One timer closes the oldest idle connection.
 */
#include "relay/connection_pool.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"

struct connection_pool {
	LIST_HEAD(, smtp_connection) all;
	TAILQ_HEAD(connection_pool_idle_list, smtp_connection) idle;
	size_t count, idle_count;
	struct event *timer;
};

static void quit_connection_over(struct smtp_connection *connection, void *arg);
static void idle_connection_ready(struct smtp_connection *connection, void *arg);
static void idle_connection_over(struct smtp_connection *connection, void *arg);

static const struct smtp_connection_events quit_events = {
    .ready = idle_connection_ready, .over = quit_connection_over};
static const struct smtp_connection_events idle_events = {
    .ready = idle_connection_ready, .over = idle_connection_over};

void
connection_pool_drop(struct connection_pool *pool, struct smtp_connection **connection)
{
	LIST_REMOVE(*connection, all);
	pool->count--;
	metrics_set(METRIC_CONNECTIONS_OPEN, pool->count);
	smtp_connection_free(connection);
}

static void
quit_connection_over(struct smtp_connection *connection, void *arg)
{
	connection_pool_drop(arg, &connection);
}

/* No command is pending, so that this is never called. */
static void
idle_connection_ready(struct smtp_connection *connection, void *arg)
{
	(void)connection;
	(void)arg;
}

static void
leave_idle_list(struct connection_pool *pool, struct smtp_connection *connection)
{
	TAILQ_REMOVE(&pool->idle, connection, idle);
	pool->idle_count--;
}

/* The host closed the connection, or sent something without a command. */
static void
idle_connection_over(struct smtp_connection *connection, void *arg)
{
	leave_idle_list(arg, connection);
	connection_pool_drop(arg, &connection);
}

static void
quit_connection(struct connection_pool *pool, struct smtp_connection *connection)
{
	smtp_connection_set_owner(connection, &quit_events, pool);
	smtp_connection_quit(connection);
}

static void
set_idle_timer(struct connection_pool *pool)
{
	struct smtp_connection *oldest = TAILQ_FIRST(&pool->idle);
	int64_t left_ms;
	struct timeval tv;

	if (!oldest) {
		event_del(pool->timer);
		return;
	}
	left_ms = oldest->idle_since_ms + CONNECTION_POOL_IDLE_MS - clock_mono_ms();
	if (left_ms < 1)
		left_ms = 1;
	tv = (struct timeval){left_ms / 1000, left_ms % 1000 * 1000};
	event_add(pool->timer, &tv);
}

static void
idle_timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct connection_pool *pool = arg;
	int64_t before_ms = clock_mono_ms() - CONNECTION_POOL_IDLE_MS;
	struct smtp_connection *connection;

	(void)fd;
	(void)what;
	while ((connection = TAILQ_FIRST(&pool->idle)) && connection->idle_since_ms <= before_ms) {
		leave_idle_list(pool, connection);
		quit_connection(pool, connection);
	}
	set_idle_timer(pool);
}

struct smtp_connection *
connection_pool_open(struct connection_pool *pool, const struct smtp_connection_options *o)
{
	struct smtp_connection *connection = smtp_connection_open(o);

	LIST_INSERT_HEAD(&pool->all, connection, all);
	pool->count++;
	metrics_set(METRIC_CONNECTIONS_OPEN, pool->count);
	return connection;
}

/* The name of the destination has the hosts, port, TLS and login; the configuration has the
 * password and the authorities.  So a connection that was made for weaker rules is not used for
 * stricter ones.  If the host has sent something or closed the connection and the loop has not
 * handled that yet, the connection is not used: the pending input would be read as the reply to
 * MAIL. */
static bool
connection_is_reusable(
    const struct smtp_connection *connection, const struct cached_destination *destination)
{
	return connection->destination->conf == destination->conf &&
	       (connection->destination == destination ||
	           strcmp(connection->destination->resolved.name, destination->resolved.name) ==
	               0) &&
	       stream_is_quiet(connection->stream); /* last, because it is a system call */
}

/* Takes the connection that was used last, so that the older ones can expire. */
struct smtp_connection *
connection_pool_take(struct connection_pool *pool, const struct cached_destination *destination)
{
	struct smtp_connection *connection;

	TAILQ_FOREACH_REVERSE(connection, &pool->idle, connection_pool_idle_list, idle)
	if (connection_is_reusable(connection, destination)) {
		leave_idle_list(pool, connection);
		return connection;
	}
	return NULL;
}

void
connection_pool_give(struct connection_pool *pool, struct smtp_connection *connection)
{
	if (connection->messages >= CONNECTION_POOL_MESSAGES_MAX) {
		quit_connection(pool, connection);
		return;
	}
	if (pool->idle_count >= CONNECTION_POOL_IDLE_MAX) {
		struct smtp_connection *oldest = TAILQ_FIRST(&pool->idle);

		leave_idle_list(pool, oldest);
		quit_connection(pool, oldest);
	}
	smtp_connection_set_owner(connection, &idle_events, pool);
	connection->idle_since_ms = clock_mono_ms();
	TAILQ_INSERT_TAIL(&pool->idle, connection, idle);
	if (pool->idle_count++ == 0)
		set_idle_timer(pool);
}

void
connection_pool_flush(struct connection_pool *pool)
{
	struct smtp_connection *connection;

	while ((connection = TAILQ_FIRST(&pool->idle))) {
		leave_idle_list(pool, connection);
		quit_connection(pool, connection);
	}
}

struct connection_pool *
connection_pool_new(struct event_base *base)
{
	struct connection_pool *pool = MEM_NEW(struct connection_pool);

	LIST_INIT(&pool->all);
	TAILQ_INIT(&pool->idle);
	pool->timer = evtimer_new(base, idle_timer_fired, pool);
	if (!pool->timer)
		die("relay: no timer");
	return pool;
}

void
connection_pool_free(struct connection_pool **pool)
{
	struct smtp_connection *connection;

	if (!*pool)
		return;
	while ((connection = LIST_FIRST(&(*pool)->all)))
		connection_pool_drop(*pool, &connection);
	event_free((*pool)->timer);
	mem_free(*pool);
	*pool = NULL;
}
