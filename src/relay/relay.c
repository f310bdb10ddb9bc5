/*
 * relay: the role.  The queue sends destination queries and attempts.  Results go back to the
 * queue, and are kept here until they are durable there.  A new queue first receives what the
 * former one did not store.
 */
#include "relay/relay.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/descriptors.h"
#include "relay/relay_internal.h"

enum { STORED_WAIT_MS = 1000 };

struct relay_destination_query {
	LIST_ENTRY(relay_destination_query) link;
	struct relay *relay;
	uint64_t call;
	struct destination_cache_lookup *lookup;
};

static void relay_check_drained(struct attempt_context *context);

static struct relay *
relay_state_of(struct role *role)
{
	struct relay *r = role->state;

	if (r)
		return r;
	r = MEM_NEW(struct relay);
	r->role = role;
	r->queue_fd = r->control_fd = -1;
	r->context.base = role->base;
	r->context.attempt_ended = relay_check_drained;
	r->context.arg = r;
	LIST_INIT(&r->context.attempts);
	LIST_INIT(&r->queries);
	LIST_INIT(&r->tests);
	role->state = r;
	return r;
}

/* ---- destinations ---- */

static void
answer_destination(struct relay *r, uint64_t call, const struct cached_destination *destination)
{
	struct message_destination m = {
	    .destination = str_of(destination->resolved.name),
	    .ttl_s = destination->resolved.ttl_s,
	    .status = destination->resolved.status,
	};

	if (r->context.queue)
		(void)!channel_answer(r->context.queue, call, MESSAGE_DESTINATION, &m, -1);
}

static void
free_destination_query(struct relay_destination_query *q)
{
	destination_cache_cancel(&q->lookup);
	LIST_REMOVE(q, link);
	mem_free(q);
}

static void
destination_query_answered(struct cached_destination *destination, void *arg)
{
	struct relay_destination_query *q = arg;

	q->lookup = NULL;
	answer_destination(q->relay, q->call, destination);
	cached_destination_drop(&destination);
	free_destination_query(q);
}

static void
handle_destination_query(struct relay *r, uint64_t call, struct str text)
{
	struct cached_destination *destination =
	    destination_cache_get(r->context.destinations, text);
	struct relay_destination_query *q;

	if (destination) {
		answer_destination(r, call, destination);
		cached_destination_drop(&destination);
		return;
	}
	q = MEM_NEW(struct relay_destination_query);
	q->relay = r;
	q->call = call;
	LIST_INSERT_HEAD(&r->queries, q, link);
	q->lookup =
	    destination_cache_lookup(r->context.destinations, text, destination_query_answered, q);
}

/* ---- the queue ---- */

/* Sends all kept results and all running attempts, and then CAUGHT_UP.  If the channel does not
 * take all of this it is closed, and the next channel starts again. */
static void
report_to_queue(struct relay *r, uint64_t call)
{
	struct message_caught_up done = {0};

	if (!pending_results_repeat(r->context.results, r->context.queue) ||
	    !attempts_report_running(&r->context, r->context.queue) ||
	    channel_answer(r->context.queue, call, MESSAGE_CAUGHT_UP, &done, -1) != 0)
		log_warn("relay: results that the former queue process did not get could not be "
		         "passed to the new one: they are sent again on the next channel");
}

static void
on_relay_queue_packet(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct relay *r = arg;
	int fd = p->fd;

	switch (p->type) {
	case MESSAGE_RUNNING_ASK:
		report_to_queue(r, p->call);
		break;
	case MESSAGE_DESTINATION_ASK:
		handle_destination_query(r, p->call, p->message->destination_ask.next_hop);
		break;
	case MESSAGE_DELIVER:
		if (r->role->is_stopping)
			attempt_decline(&r->context, &p->message->deliver, fd, attempt_stopping());
		else
			attempt_begin(&r->context, &p->message->deliver, fd);
		fd = -1;
		break;
	case MESSAGE_CANCEL:
		attempts_cancel(
		    &r->context, p->message->cancel.attempt_id, p->message->cancel.is_forced);
		break;
	case MESSAGE_RESULT_STORED:
		pending_results_stored(r->context.results, &p->message->result_stored);
		relay_check_drained(&r->context);
		break;
	case MESSAGE_HELLO:
		break;
	default:
		log_error("relay: unexpected %s from the queue", message_name(p->type));
		channel_refuse(c, p->call);
	}
	if (fd >= 0)
		close(fd);
}

static void
disconnect_queue(struct relay *r)
{
	struct relay_destination_query *q;

	while ((q = LIST_FIRST(&r->queries)))
		free_destination_query(q);
	channel_free(&r->context.queue);
}

static void
queue_lost(struct channel *c, void *arg)
{
	struct relay *r = arg;

	(void)c;
	disconnect_queue(r);
	role_peer_lost(r->role, r->queue_peer);
}

static void
connect_queue(struct relay *r, int fd)
{
	disconnect_queue(r);
	r->context.queue = channel_new(r->role->base, fd, on_relay_queue_packet, queue_lost, r);
}

/* ---- control ---- */

static void
on_relay_control_packet(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct relay *r = arg;
	struct message_admin_done unknown = {
	    .exit_code = 2, .text = STR("relay does not know this command")};

	if (p->fd >= 0)
		close(p->fd);
	if (p->type == MESSAGE_ADMIN && str_eq(p->message->admin.verb, STR("route.test")))
		route_test_begin(
		    r, p->call, message_values_get(p->message->admin.values, "address"));
	else if (p->type == MESSAGE_ADMIN && str_eq(p->message->admin.verb, STR("dns.status")))
		resolver_choice_send_status(c, p->call, r->role->conf, r->resolver);
	else if (p->type == MESSAGE_ADMIN)
		(void)!channel_answer(c, p->call, MESSAGE_ADMIN_DONE, &unknown, -1);
	else
		channel_refuse(c, p->call);
}

static void
disconnect_control(struct relay *r)
{
	route_tests_cancel(r);
	channel_free(&r->control);
}

static void
control_lost(struct channel *c, void *arg)
{
	struct relay *r = arg;

	(void)c;
	disconnect_control(r);
	role_peer_lost(r->role, r->control_peer);
}

static void
connect_control(struct relay *r, int fd)
{
	disconnect_control(r);
	r->control = channel_new(r->role->base, fd, on_relay_control_packet, control_lost, r);
}

/* ---- the life of the role ---- */

static void
replace_fd(int *slot, int fd)
{
	if (*slot >= 0)
		close(*slot);
	*slot = fd;
}

static void
relay_add_peer(struct role *role, struct role_peer peer, int fd)
{
	struct relay *r = relay_state_of(role);

	if (peer.kind == ROLE_QUEUE) {
		r->queue_peer = peer;
		if (role->is_started)
			connect_queue(r, fd);
		else
			replace_fd(&r->queue_fd, fd);
	} else if (peer.kind == ROLE_CONTROL) {
		r->control_peer = peer;
		if (role->is_started)
			connect_control(r, fd);
		else
			replace_fd(&r->control_fd, fd);
	} else {
		close(fd);
	}
}

/* For the first route that verifies with the system's certificates, when a reload adds one. */
static const struct sandbox_path paths[] = {
    {.path = "/etc/ssl", .fd = -1},
    {.path = "/usr/share/ca-certificates", .fd = -1},
};

static void
relay_prepare(struct role *role, struct sandbox *sandbox)
{
	struct relay *r = relay_state_of(role);

	(void)sandbox;
	resolver_renewal_prepare(r);
	r->context.tls_trust = tls_trust_new(role, NULL);
}

static struct async_io *
relay_disk(struct role *role)
{
	static const struct stall_thread thread = {
	    "relay", "disk", "no other body above 128 KiB is read meanwhile"};
	struct async_io *disk =
	    async_io_new(&(struct async_io_setup){.base = role->base, .thread = &thread});

	if (!disk)
		log_error("relay: no thread that reads bodies: %m");
	return disk;
}

static int
relay_start(struct role *role)
{
	struct relay *r = relay_state_of(role);

	if (!r->resolver)
		return -1;
	r->context.closing_max = conf_relay_closing_max(role->conf);
	r->context.disk = relay_disk(role);
	if (!r->context.disk)
		return -1;
	r->context.destinations = destination_cache_new(r->resolver, role->conf);
	r->context.pool = connection_pool_new(role->base);
	r->context.results = pending_results_new();
	if (r->queue_fd >= 0)
		connect_queue(r, r->queue_fd);
	if (r->control_fd >= 0)
		connect_control(r, r->control_fd);
	r->queue_fd = r->control_fd = -1;
	return 0;
}

static void
relay_reload(struct role *role, const struct conf *before)
{
	struct relay *r = role->state;
	struct tls_trust *old = r->context.tls_trust;

	(void)before;
	resolver_renewal_reload(r);
	r->context.closing_max = conf_relay_closing_max(role->conf);
	r->context.tls_trust = tls_trust_new(role, old);
	tls_trust_free(&old);
	destination_cache_reset(r->context.destinations, r->resolver, role->conf);
	connection_pool_flush(r->context.pool);
}

static void
set_drain_timer(struct relay *r, int64_t ms)
{
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	if (event_add(r->drain_timer, &tv) != 0)
		die("relay: no timer");
}

/* Relay is stopping, and all attempts have ended.  It waits for a short time until the queue has
 * stored the results.  A queue that cannot store them has received them nevertheless, and stops
 * later. */
static void
relay_check_drained(struct attempt_context *context)
{
	struct relay *r = context->arg;
	int64_t left_ms = r->drain_end_ms - clock_mono_ms();

	if (!r->drain_timer || context->attempt_count)
		return;
	if (pending_results_count(context->results) == 0 || !context->queue)
		role_stopped(r->role);
	else if (!r->attempts_ended && left_ms > STORED_WAIT_MS)
		set_drain_timer(r, STORED_WAIT_MS);
	r->attempts_ended = true;
}

static void
drain_time_passed(evutil_socket_t fd, short what, void *arg)
{
	struct relay *r = arg;

	(void)fd;
	(void)what;
	/* what the queue has not read from the channel would be lost when this process ends */
	if (r->context.queue && channel_waiting(r->context.queue) &&
	    clock_mono_ms() < r->drain_end_ms)
		set_drain_timer(r, STORED_WAIT_MS);
	else
		role_stopped(r->role);
}

static void
relay_stop(struct role *role, int64_t drain_ms)
{
	struct relay *r = role->state;

	attempts_stop(&r->context);
	connection_pool_flush(r->context.pool);
	r->drain_timer = evtimer_new(role->base, drain_time_passed, r);
	if (!r->drain_timer)
		die("relay: no timer");
	r->drain_end_ms = clock_mono_ms() + drain_ms;
	set_drain_timer(r, drain_ms);
	relay_check_drained(&r->context);
}

static void
relay_end(struct role *role)
{
	struct relay *r = role->state;

	if (!r)
		return;
	r->context.attempt_ended = NULL;
	if (r->context.pool)
		attempts_abandon(&r->context);
	disconnect_queue(r);
	disconnect_control(r);
	connection_pool_free(&r->context.pool);
	destination_cache_free(&r->context.destinations);
	pending_results_free(&r->context.results);
	async_io_free(&r->context.disk);
	tls_trust_free(&r->context.tls_trust);
	resolver_renewal_end(r);
	if (r->drain_timer)
		event_free(r->drain_timer);
	replace_fd(&r->queue_fd, -1);
	replace_fd(&r->control_fd, -1);
	mem_free(r);
	role->state = NULL;
}

const struct role_spec relay_role = {
    .name = "relay",
    .conf = CONF_RELAY,
    .sandbox = {.needs = SANDBOX_CONNECT | SANDBOX_READ | SANDBOX_THREADS,
	.paths = paths,
	.path_count = sizeof paths / sizeof *paths},
    .peer = relay_add_peer,
    .prepare = relay_prepare,
    .start = relay_start,
    .reload = relay_reload,
    .stop = relay_stop,
    .end = relay_end,
};
