/*
 * attempt: the steps stand in the order in which they happen.  A job asks one thing at a time, and
 * frees itself after its last result.
 */
#include "relay/attempt_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "relay/own_addresses.h"
#include "relay/reason.h"

static void step(struct job *j);
static void send_message(struct job *j);

/* ---- the end, and what leads to it ---- */

void
job_drop(struct job *j)
{
	struct yard *y = j->yard;

	LIST_REMOVE(j, link);
	y->job_count--;
	if (event_initialized(&j->deadline))
		event_del(&j->deadline);
	if (event_initialized(&j->next_look))
		event_del(&j->next_look);
	finder_cancel(&j->ask);
	resolver_cancel(&j->query);
	if (j->session)
		pool_drop(y->pool, &j->session);
	found_drop(&j->found);
	body_clear(&j->body);
	outgoing_clear(&j->out);
	arena_clear(&j->arena);
	mem_free(j);
	if (y->emptied)
		y->emptied(y);
}

/* Where it happened: the connection that stands, or the host that the verdict is of. */
static void
say_where(const struct job *j, char address[INET6_ADDRSTRLEN_], struct message_result *m)
{
	const struct visit *s = j->session;
	const struct delivery *d = &j->delivery;

	if (s) {
		m->host = str_of(s->host);
		m->address = str_of(s->address);
		m->port = s->port;
		m->source = str_of(s->source);
		m->tls = str_of(visit_tls(s));
	} else if (d->site && d->status.code) {
		m->host = str_of(d->site->hosts[d->host_of_status].name);
		m->tls = str_of(d->tls_of_status);
		endpoint_text(&d->address_of_status.sa, address, &m->port);
		m->address = str_of(address);
	}
}

void
job_tell(struct job *j, uint32_t number, const struct client_result *r, bool is_last)
{
	char address[INET6_ADDRSTRLEN_];
	struct message_result m = {
	    .job = j->m.job,
	    .ticket = j->m.ticket,
	    .id = j->envelope.id,
	    .recipient = number,
	    .status = r->status,
	    .reason = str_of(r->reason),
	    .took_ms = clock_mono_ms() - j->began_ms,
	    .is_last = is_last,
	    .dsn_passed_on = r->dsn_passed_on,
	    .was_ready = j->was_ready,
	    .is_delivered = r->is_delivered,
	};

	if (j->found)
		m.route = (uint16_t)j->found->site.route_number;
	say_where(j, address, &m);
	results_add(j->yard->results, j->yard->queue, &m);
}

/* Tells what was decided, and keeps who was not. */
static void
collect(struct job *j)
{
	const struct client_result *r = client_results(j->session->client);
	size_t left = 0;

	for (size_t i = 0; i < j->out.count; i++)
		left += r[i].status.code == 0;
	for (size_t i = 0, told = 0, kept = 0; i < j->out.count; i++) {
		if (r[i].status.code == 0)
			j->numbers[kept++] = j->numbers[i];
		else
			job_tell(j, j->numbers[i], &r[i], left == 0 && ++told == j->out.count);
	}
	j->out.count = left;
}

/* All that are left share one fate. */
void
job_finish(struct job *j, const struct status *s, const char *reason)
{
	struct client_result r = {.status = *s, .reason = reason};

	for (size_t i = 0; i < j->out.count; i++)
		job_tell(j, j->numbers[i], &r, i + 1 == j->out.count);
	job_drop(j);
}

/* ---- the deadline ---- */

/* Where nobody has the message yet; who was refused stays so. */
static void
give_up(struct job *j, struct status s, const char *reason)
{
	const struct client_end *end;

	finder_cancel(&j->ask);
	resolver_cancel(&j->query);
	if (j->session) {
		client_lost(j->session->client, &s, reason);
		end = client_end(j->session->client);
		s = end->status;
		reason = end->reason;
		if (j->is_sending)
			collect(j);
	} else if (j->delivery.status.code) {
		s = delivery_verdict(&j->delivery, &reason);
	}
	if (j->out.count)
		job_finish(j, &s, reason);
	else
		job_drop(j);
}

/* While the content is looked at, no host has been asked: the disk is what took the time. */
static void
give_up_late(struct job *j, const struct status *s)
{
	if (j->is_looking)
		give_up(j, outgoing_late_status(), REASON_LOCAL);
	else
		give_up(j, *s, REASON_TIMEOUT);
}

/* Content that is on its way has deadlines of its own, also while its next block is read. */
static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct job *j = arg;
	int64_t patience_ms = finder_conf(j->yard->finder)->timeouts.attempt_ms;
	struct status s = status_make(451, "4.4.2", "no host took the message within %lld s",
	    (long long)(patience_ms / 1000));

	(void)fd;
	(void)what;
	j->is_late = true;
	if (!j->is_sending || !client_has_envelope(j->session->client))
		give_up_late(j, &s);
}

static struct status
job_recalled_status(void)
{
	return status_make(451, "4.3.0", "the operator ended the attempt");
}

/* From now on, for one transaction at least. */
void
job_begin_attempt(struct job *j)
{
	int64_t ms = finder_conf(j->yard->finder)->timeouts.attempt_ms;
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	metrics_work_id("deliver", j->envelope.id);
	j->is_late = false;
	if (!event_initialized(&j->deadline))
		event_assign(&j->deadline, j->yard->base, -1, 0, on_deadline, j);
	if (event_add(&j->deadline, &tv) != 0)
		die("relay: no timer");
}

/* ---- 1. the site ---- */

static void
got_site(struct found *found, void *arg)
{
	struct job *j = arg;

	j->ask = NULL;
	j->found = found;
	if (found->site.status.code) {
		job_finish(j, &found->site.status, found->site.reason);
		return;
	}
	delivery_init(&j->delivery, &found->site);
	j->delivery.is_own = own_has;
	step(j);
}

void
job_find_site(struct job *j)
{
	struct found *found = finder_have(j->yard->finder, j->m.domain);

	if (found)
		got_site(found, j);
	else
		j->ask = finder_ask(j->yard->finder, j->m.domain, got_site, j);
}

/* ---- 2. the connection ---- */

static void
got_addresses(const struct resolver_answer *a, void *arg)
{
	struct job *j = arg;
	const char *host = delivery_host(&j->delivery);

	j->query = NULL;
	delivery_got_addresses(&j->delivery, a);
	if (j->delivery.lacks_route_host)
		route_hosts_lack(&j->yard->route_hosts, &j->found->site, host);
	else if (a->outcome == RESOLVER_FOUND)
		route_hosts_have(&j->yard->route_hosts, &j->found->site, host);
	step(j);
}

static void visit_ready(struct visit *s, void *arg);
static void visit_over(struct visit *s, void *arg);

static const struct visit_events visit_events = {.ready = visit_ready, .over = visit_over};

static void
connect_host(struct job *j)
{
	struct visit_options o = {
	    .base = j->yard->base,
	    .found = j->found,
	    .tls = trust_for(j->yard->trust, j->found->site.route),
	    .host = delivery_host(&j->delivery),
	    .address = delivery_address(&j->delivery),
	    .level = delivery_tls(&j->delivery),
	    .without_chunking = j->delivery.without_chunking,
	    .events = &visit_events,
	    .arg = j,
	};
	struct status s;

	if (!o.tls && o.level != CLIENT_TLS_NEVER) {
		s = status_make(
		    451, "4.3.5", "the certificates of this route's ca_file are not loaded");
		job_finish(j, &s, REASON_TLS);
		return;
	}
	j->session = pool_open(j->yard->pool, &o);
}

static void
step(struct job *j)
{
	struct finder_host host;
	struct status s;
	const char *reason;

	if (!j->is_fresh)
		j->session = pool_take(j->yard->pool, j->found);
	if (j->session) {
		visit_own(j->session, &visit_events, j);
		send_message(j);
		return;
	}
	switch (delivery_step(&j->delivery)) {
	case DELIVERY_NEEDS_ADDRESSES:
		host = (struct finder_host){&j->found->site, delivery_host(&j->delivery)};
		j->query = finder_ask_addresses(j->yard->finder, &host, got_addresses, j);
		break;
	case DELIVERY_CONNECT:
		connect_host(j);
		break;
	case DELIVERY_EXHAUSTED:
		s = delivery_verdict(&j->delivery, &reason);
		job_finish(j, &s, reason);
		break;
	}
}

/* ---- 3. the talk ---- */

/* The host takes no more recipients in one transaction: those that are left get one of their own,
 * at once, on the same connection if it can be had. */
static void
send_to_rest(struct job *j, size_t before)
{
	struct status s;

	if (j->out.count == 0) {
		job_drop(j);
		return;
	}
	if (j->is_recalled) {
		s = job_recalled_status();
		job_finish(j, &s, REASON_LOCAL);
		return;
	}
	if (j->out.count == before) {
		s = status_make(451, "4.3.0", "a transaction ended without a result");
		job_finish(j, &s, REASON_LOCAL);
		return;
	}
	j->is_sending = j->is_fresh = false;
	job_begin_attempt(j);
	step(j);
}

static void
go_on(struct job *j, enum client_step how)
{
	struct client_end end;
	bool was_reused = j->session->messages > 1, tls_failed;
	const char *tls;
	size_t before = j->out.count;

	if (how == CLIENT_WAIT)
		return;
	if (j->is_sending)
		collect(j);
	if (how == CLIENT_READY) {
		pool_give(j->yard->pool, j->session);
		j->session = NULL;
		send_to_rest(j, before);
		return;
	}
	if (j->out.count == 0) {
		job_drop(j);
		return;
	}
	end = *client_end(j->session->client);
	if (strcmp(end.reason ? end.reason : "", REASON_AUTH) == 0)
		log_warn("relay: login at %s[%s] for route %u: %s; check the route's username, "
			 "password and ca_file",
		    j->session->host, j->session->address, j->found->site.route_number,
		    end.status.text);
	if (j->is_late || j->is_recalled || end.has_no_content) {
		job_finish(j, &end.status, end.reason);
		return;
	}
	tls_failed = j->session->tls_failed;
	tls = visit_tls(j->session);
	pool_drop(j->yard->pool, &j->session);
	j->is_sending = false;
	/* an idle connection that had died tells nothing about the host */
	if (was_reused && !j->is_fresh)
		j->was_ready = false;
	else if (tls_failed)
		delivery_tls_failed(&j->delivery, &end.status, tls);
	else
		delivery_failed(&j->delivery, &end, tls);
	j->is_fresh = true;
	step(j);
}

static void
send_message(struct job *j)
{
	j->is_sending = j->was_ready = true;
	go_on(j, visit_send(j->session, &j->out));
}

static void
visit_ready(struct visit *s, void *arg)
{
	struct job *j = arg;

	(void)s;
	if (j->is_sending)
		go_on(j, CLIENT_READY);
	else
		send_message(j);
}

static void
visit_over(struct visit *s, void *arg)
{
	(void)s;
	go_on(arg, CLIENT_OVER);
}

/* ---- all of them ---- */

bool
jobs_tell(struct yard *y, struct channel *queue)
{
	struct job *j;

	LIST_FOREACH(j, &y->jobs, link)
	{
		struct message_running m = {.job = j->m.job,
		    .ticket = j->m.ticket,
		    .id = j->envelope.id,
		    .numbers =
		        str_make((const char *)j->numbers, j->out.count * sizeof *j->numbers),
		    .site = j->m.site};

		if (channel_send(queue, MESSAGE_RUNNING, &m, -1) != 0)
			return false;
	}
	return true;
}

static void
job_recall(struct job *j)
{
	j->is_recalled = true;
	if (!j->is_sending || !client_has_content(j->session->client))
		give_up(j, job_recalled_status(), REASON_LOCAL);
}

void
jobs_cancel(struct yard *y, uint64_t number, bool is_forced)
{
	struct status s = status_make(451, "4.4.2", "the delivery took too long");
	struct job *j;

	LIST_FOREACH(j, &y->jobs, link)
	{
		if (j->m.job != number)
			continue;
		if (is_forced)
			give_up_late(j, &s);
		else
			job_recall(j);
		return;
	}
}

void
jobs_stop(struct yard *y)
{
	struct job *j, *next;

	for (j = LIST_FIRST(&y->jobs); j; j = next) {
		next = LIST_NEXT(j, link);
		if (j->is_sending)
			continue;
		job_decline(y, &j->m, -1);
		job_drop(j);
	}
}

void
jobs_abandon(struct yard *y)
{
	struct job *j;

	while ((j = LIST_FIRST(&y->jobs)))
		job_drop(j);
}
