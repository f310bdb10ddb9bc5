/*
 * relay: the role.  The queue asks for sites and gives jobs; results go back and are kept until
 * they are durable there.  A new queue first hears what the old one missed.
 */
#include "relay/relay.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/descriptors.h"
#include "relay/relay_internal.h"

enum { STORED_WAIT_MS = 1000 };

struct site_question {
	LIST_ENTRY(site_question) link;
	struct relay *relay;
	uint64_t call;
	char *domain;
	struct finder_ask *ask;
};

static void emptied(struct yard *y);

static struct relay *
state_of(struct role *role)
{
	struct relay *r = role->state;

	if (r)
		return r;
	r = MEM_NEW(struct relay);
	r->role = role;
	r->queue_fd = r->control_fd = -1;
	r->yard.base = role->base;
	r->yard.emptied = emptied;
	r->yard.arg = r;
	LIST_INIT(&r->yard.jobs);
	LIST_INIT(&r->questions);
	LIST_INIT(&r->tests);
	role->state = r;
	return r;
}

/* ---- sites ---- */

static void
answer_site(struct relay *r, uint64_t call, struct str domain, const struct found *found)
{
	struct message_site m = {
	    .domain = domain,
	    .site = str_of(found->site.name),
	    .ttl_s = found->site.ttl_s,
	    .status = found->site.status,
	};

	if (r->yard.queue)
		(void)!channel_answer(r->yard.queue, call, MESSAGE_SITE, &m, -1);
}

static void
question_free(struct site_question *q)
{
	finder_cancel(&q->ask);
	LIST_REMOVE(q, link);
	mem_free(q->domain);
	mem_free(q);
}

static void
question_answered(struct found *found, void *arg)
{
	struct site_question *q = arg;

	q->ask = NULL;
	answer_site(q->relay, q->call, str_of(q->domain), found);
	found_drop(&found);
	question_free(q);
}

static void
site_asked(struct relay *r, uint64_t call, struct str domain)
{
	struct found *found = finder_have(r->yard.finder, domain);
	struct site_question *q;

	if (found) {
		answer_site(r, call, domain, found);
		found_drop(&found);
		return;
	}
	q = MEM_NEW(struct site_question);
	q->relay = r;
	q->call = call;
	q->domain = mem_text(domain.p, domain.n);
	LIST_INSERT_HEAD(&r->questions, q, link);
	q->ask = finder_ask(r->yard.finder, domain, question_answered, q);
}

/* ---- the queue ---- */

/* What a queue before this one left with us, and then CAUGHT_UP.  A channel that does not take all
 * of it closes, and the next one begins anew. */
static void
tell_queue(struct relay *r, uint64_t call)
{
	struct message_caught_up done = {0};

	if (!results_repeat(r->yard.results, r->yard.queue) ||
	    !jobs_tell(&r->yard, r->yard.queue) ||
	    channel_answer(r->yard.queue, call, MESSAGE_CAUGHT_UP, &done, -1) != 0)
		log_warn("relay: results that the former queue process did not get could not be "
		         "passed to "
		         "the new one: they are sent again on the next channel");
}

static void
from_queue(struct channel *c, const struct packet *p, void *arg)
{
	struct relay *r = arg;
	int fd = p->fd;

	switch (p->type) {
	case MESSAGE_RUNNING_ASK:
		tell_queue(r, p->call);
		break;
	case MESSAGE_SITE_ASK:
		site_asked(r, p->call, p->message->site_ask.domain);
		break;
	case MESSAGE_DELIVER:
		if (r->role->is_stopping)
			job_decline(&r->yard, &p->message->deliver, fd);
		else
			job_begin(&r->yard, &p->message->deliver, fd);
		fd = -1;
		break;
	case MESSAGE_CANCEL:
		jobs_cancel(&r->yard, p->message->cancel.job, p->message->cancel.is_forced);
		break;
	case MESSAGE_RESULT_STORED:
		results_stored(r->yard.results, &p->message->result_stored);
		emptied(&r->yard);
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
forget_queue(struct relay *r)
{
	struct site_question *q;

	while ((q = LIST_FIRST(&r->questions)))
		question_free(q);
	channel_free(&r->yard.queue);
}

static void
queue_lost(struct channel *c, void *arg)
{
	struct relay *r = arg;

	(void)c;
	forget_queue(r);
	role_peer_lost(r->role, r->queue_peer);
}

static void
meet_queue(struct relay *r, int fd)
{
	forget_queue(r);
	r->yard.queue = channel_new(r->role->base, fd, from_queue, queue_lost, r);
}

/* ---- control ---- */

static void
from_control(struct channel *c, const struct packet *p, void *arg)
{
	struct relay *r = arg;
	struct message_admin_done unknown = {
	    .exit_code = 2, .text = STR("relay does not know this command")};

	if (p->fd >= 0)
		close(p->fd);
	if (p->type == MESSAGE_ADMIN && str_eq(p->message->admin.verb, STR("route.test")))
		routetest_begin(
		    r, p->call, message_values_get(p->message->admin.values, "address"));
	else if (p->type == MESSAGE_ADMIN && str_eq(p->message->admin.verb, STR("dns.status")))
		names_status(c, p->call, r->role->conf, r->resolver);
	else if (p->type == MESSAGE_ADMIN)
		(void)!channel_answer(c, p->call, MESSAGE_ADMIN_DONE, &unknown, -1);
	else
		channel_refuse(c, p->call);
}

static void
forget_control(struct relay *r)
{
	routetests_cancel(r);
	channel_free(&r->control);
}

static void
control_lost(struct channel *c, void *arg)
{
	struct relay *r = arg;

	(void)c;
	forget_control(r);
	role_peer_lost(r->role, r->control_peer);
}

static void
meet_control(struct relay *r, int fd)
{
	forget_control(r);
	r->control = channel_new(r->role->base, fd, from_control, control_lost, r);
}

/* ---- the life of the role ---- */

static void
hold(int *slot, int fd)
{
	if (*slot >= 0)
		close(*slot);
	*slot = fd;
}

static void
peer(struct role *role, struct role_peer who, int fd)
{
	struct relay *r = state_of(role);

	if (who.kind == ROLE_QUEUE) {
		r->queue_peer = who;
		if (role->is_started)
			meet_queue(r, fd);
		else
			hold(&r->queue_fd, fd);
	} else if (who.kind == ROLE_CONTROL) {
		r->control_peer = who;
		if (role->is_started)
			meet_control(r, fd);
		else
			hold(&r->control_fd, fd);
	} else {
		close(fd);
	}
}

/* For the first route that verifies by the system's trust, when a reload brings it. */
static const struct sandbox_path paths[] = {
    {.path = "/etc/ssl", .fd = -1},
    {.path = "/usr/share/ca-certificates", .fd = -1},
};

static void
prepare(struct role *role, struct sandbox *sandbox)
{
	struct relay *r = state_of(role);

	(void)sandbox;
	renewal_prepare(r);
	r->yard.trust = trust_new(role, NULL);
}

static struct disk *
relay_disk(struct role *role)
{
	static const struct stall_thread thread = {
	    "relay", "disk", "no other body above 128 KiB is read meanwhile"};
	struct disk *disk = disk_new(&(struct disk_setup){.base = role->base, .thread = &thread});

	if (!disk)
		log_error("relay: no thread that reads bodies: %m");
	return disk;
}

static int
start(struct role *role)
{
	struct relay *r = state_of(role);

	if (!r->resolver)
		return -1;
	r->yard.closing_max = conf_closing_of_relay(role->conf);
	r->yard.disk = relay_disk(role);
	if (!r->yard.disk)
		return -1;
	r->yard.finder = finder_new(r->resolver, role->conf);
	r->yard.pool = pool_new(role->base);
	r->yard.results = results_new();
	if (r->queue_fd >= 0)
		meet_queue(r, r->queue_fd);
	if (r->control_fd >= 0)
		meet_control(r, r->control_fd);
	r->queue_fd = r->control_fd = -1;
	return 0;
}

static void
reload(struct role *role, const struct conf *before)
{
	struct relay *r = role->state;
	struct trust *old = r->yard.trust;

	(void)before;
	renewal_reload(r);
	r->yard.closing_max = conf_closing_of_relay(role->conf);
	r->yard.trust = trust_new(role, old);
	trust_free(&old);
	finder_renew(r->yard.finder, r->resolver, role->conf);
	pool_flush(r->yard.pool);
}

static void
end_within(struct relay *r, int64_t ms)
{
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	if (event_add(r->drain, &tv) != 0)
		die("relay: no timer");
}

/* Stopping: all is told.  It is let be stored, for a moment: a queue that cannot store it has it
 * all the same, and ends later. */
static void
emptied(struct yard *y)
{
	struct relay *r = y->arg;
	int64_t left_ms = r->drain_end_ms - clock_mono_ms();

	if (!r->drain || y->job_count)
		return;
	if (results_count(y->results) == 0 || !y->queue)
		role_stopped(r->role);
	else if (!r->is_told && left_ms > STORED_WAIT_MS)
		end_within(r, STORED_WAIT_MS);
	r->is_told = true;
}

static void
drained(evutil_socket_t fd, short what, void *arg)
{
	struct relay *r = arg;

	(void)fd;
	(void)what;
	/* what the queue has not taken from the channel would be lost with it */
	if (r->yard.queue && channel_waiting(r->yard.queue) && clock_mono_ms() < r->drain_end_ms)
		end_within(r, STORED_WAIT_MS);
	else
		role_stopped(r->role);
}

static void
stop(struct role *role, int64_t drain_ms)
{
	struct relay *r = role->state;

	jobs_stop(&r->yard);
	pool_flush(r->yard.pool);
	r->drain = evtimer_new(role->base, drained, r);
	if (!r->drain)
		die("relay: no timer");
	r->drain_end_ms = clock_mono_ms() + drain_ms;
	end_within(r, drain_ms);
	emptied(&r->yard);
}

static void
end(struct role *role)
{
	struct relay *r = role->state;

	if (!r)
		return;
	r->yard.emptied = NULL;
	if (r->yard.pool)
		jobs_abandon(&r->yard);
	forget_queue(r);
	forget_control(r);
	pool_free(&r->yard.pool);
	finder_free(&r->yard.finder);
	results_free(&r->yard.results);
	disk_free(&r->yard.disk);
	trust_free(&r->yard.trust);
	renewal_end(r);
	if (r->drain)
		event_free(r->drain);
	hold(&r->queue_fd, -1);
	hold(&r->control_fd, -1);
	mem_free(r);
	role->state = NULL;
}

const struct role_spec relay_role = {
    .name = "relay",
    .conf = CONF_RELAY,
    .sandbox = {.needs = SANDBOX_CONNECT | SANDBOX_READ | SANDBOX_THREADS,
	.paths = paths,
	.path_count = sizeof paths / sizeof *paths},
    .peer = peer,
    .prepare = prepare,
    .start = start,
    .reload = reload,
    .stop = stop,
    .end = end,
};
