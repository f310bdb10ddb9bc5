/*
 * attempt: the steps stand in the order in which they happen.  An attempt asks one thing at a time,
 * and frees itself after its last result.
 */
#include "relay/attempt_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "relay/own_addresses.h"
#include "relay/reason.h"

static void attempt_next_host(struct attempt *j);
static void send_message(struct attempt *j);

/* ---- the end, and what leads to it ---- */

void
attempt_drop(struct attempt *j)
{
	struct attempt_context *y = j->yard;

	LIST_REMOVE(j, link);
	y->job_count--;
	if (event_initialized(&j->deadline))
		event_del(&j->deadline);
	if (event_initialized(&j->next_look))
		event_del(&j->next_look);
	destination_cache_cancel(&j->ask);
	resolver_cancel(&j->query);
	if (j->session)
		connection_pool_drop(y->pool, &j->session);
	cached_destination_drop(&j->found);
	body_reader_clear(&j->body);
	message_source_clear(&j->out);
	arena_clear(&j->arena);
	mem_free(j);
	if (y->emptied)
		y->emptied(y);
}

/* Where it happened: the connection that stands, or the host that the status is of. */
static void
fill_result_host(const struct attempt *j, char address[INET6_ADDRSTRLEN_], struct message_result *m)
{
	const struct smtp_connection *s = j->session;
	const struct host_iterator *d = &j->delivery;

	if (s) {
		m->host = str_of(s->host);
		m->address = str_of(s->address);
		m->port = s->port;
		m->source = str_of(s->source);
		m->tls = str_of(smtp_connection_tls(s));
	} else if (d->site && d->status.code) {
		m->host = str_of(d->site->hosts[d->host_of_status].name);
		m->tls = str_of(d->tls_of_status);
		endpoint_text(&d->address_of_status.sa, address, &m->port);
		m->address = str_of(address);
	}
}

void
attempt_report_result(
    struct attempt *j, uint32_t number, const struct smtp_client_result *r, bool is_last)
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
	fill_result_host(j, address, &m);
	pending_results_add(j->yard->results, j->yard->queue, &m);
}

/* Tells what was decided, and keeps who was not. */
static void
collect_smtp_results(struct attempt *j)
{
	const struct smtp_client_result *r = smtp_client_results(j->session->client);
	size_t left = 0;

	for (size_t i = 0; i < j->out.count; i++)
		left += r[i].status.code == 0;
	for (size_t i = 0, told = 0, kept = 0; i < j->out.count; i++) {
		if (r[i].status.code == 0)
			j->numbers[kept++] = j->numbers[i];
		else
			attempt_report_result(
			    j, j->numbers[i], &r[i], left == 0 && ++told == j->out.count);
	}
	j->out.count = left;
}

/* All that are left share one fate. */
void
attempt_finish(struct attempt *j, const struct smtp_status *s, const char *reason)
{
	struct smtp_client_result r = {.status = *s, .reason = reason};

	for (size_t i = 0; i < j->out.count; i++)
		attempt_report_result(j, j->numbers[i], &r, i + 1 == j->out.count);
	attempt_drop(j);
}

/* ---- the deadline ---- */

/* Where nobody has the message yet; who was refused stays so. */
static void
abort_attempt(struct attempt *j, struct smtp_status s, const char *reason)
{
	const struct smtp_client_end *end;

	destination_cache_cancel(&j->ask);
	resolver_cancel(&j->query);
	if (j->session) {
		smtp_client_lost(j->session->client, &s, reason);
		end = smtp_client_end(j->session->client);
		s = end->status;
		reason = end->reason;
		if (j->is_sending)
			collect_smtp_results(j);
	} else if (j->delivery.status.code) {
		s = host_iterator_status(&j->delivery, &reason);
	}
	if (j->out.count)
		attempt_finish(j, &s, reason);
	else
		attempt_drop(j);
}

/* While the content is looked at, no host has been asked: the disk is what took the time. */
static void
abort_late_attempt(struct attempt *j, const struct smtp_status *s)
{
	if (j->is_looking)
		abort_attempt(j, message_source_late_status(), REASON_LOCAL);
	else
		abort_attempt(j, *s, REASON_TIMEOUT);
}

/* Content that is on its way has deadlines of its own, also while its next block is read. */
static void
attempt_deadline_passed(evutil_socket_t fd, short what, void *arg)
{
	struct attempt *j = arg;
	int64_t patience_ms = destination_cache_conf(j->yard->finder)->timeouts.attempt_ms;
	struct smtp_status s = smtp_status_make(451, "4.4.2",
	    "no host took the message within %lld s", (long long)(patience_ms / 1000));

	(void)fd;
	(void)what;
	j->is_late = true;
	if (!j->is_sending || !smtp_client_envelope_answered(j->session->client))
		abort_late_attempt(j, &s);
}

static struct smtp_status
attempt_recalled_status(void)
{
	return smtp_status_make(451, "4.3.0", "the operator ended the attempt");
}

/* From now on, for one transaction at least. */
void
attempt_start_deadline(struct attempt *j)
{
	int64_t ms = destination_cache_conf(j->yard->finder)->timeouts.attempt_ms;
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	metrics_work_id("deliver", j->envelope.id);
	j->is_late = false;
	if (!event_initialized(&j->deadline))
		event_assign(&j->deadline, j->yard->base, -1, 0, attempt_deadline_passed, j);
	if (event_add(&j->deadline, &tv) != 0)
		die("relay: no timer");
}

/* ---- 1. the destination ---- */

static void
attempt_got_destination(struct cached_destination *found, void *arg)
{
	struct attempt *j = arg;

	j->ask = NULL;
	j->found = found;
	if (found->site.status.code) {
		attempt_finish(j, &found->site.status, found->site.reason);
		return;
	}
	host_iterator_init(&j->delivery, &found->site);
	j->delivery.is_own = own_address_check;
	attempt_next_host(j);
}

void
attempt_find_destination(struct attempt *j)
{
	struct cached_destination *found = destination_cache_get(j->yard->finder, j->m.domain);

	if (found)
		attempt_got_destination(found, j);
	else
		j->ask = destination_cache_lookup(
		    j->yard->finder, j->m.domain, attempt_got_destination, j);
}

/* ---- 2. the connection ---- */

static void
attempt_got_addresses(const struct resolver_answer *a, void *arg)
{
	struct attempt *j = arg;
	const char *host = host_iterator_host(&j->delivery);

	j->query = NULL;
	host_iterator_got_addresses(&j->delivery, a);
	if (j->delivery.lacks_route_host)
		route_host_log_missing(&j->yard->route_hosts, &j->found->site, host);
	else if (a->outcome == RESOLVER_FOUND)
		route_host_log_found(&j->yard->route_hosts, &j->found->site, host);
	attempt_next_host(j);
}

static void attempt_connection_ready(struct smtp_connection *s, void *arg);
static void attempt_connection_over(struct smtp_connection *s, void *arg);

static const struct smtp_connection_events attempt_connection_events = {
    .ready = attempt_connection_ready, .over = attempt_connection_over};

static void
connect_host(struct attempt *j)
{
	struct smtp_connection_options o = {
	    .base = j->yard->base,
	    .found = j->found,
	    .tls = tls_trust_for(j->yard->trust, j->found->site.route),
	    .host = host_iterator_host(&j->delivery),
	    .address = host_iterator_address(&j->delivery),
	    .level = host_iterator_tls(&j->delivery),
	    .without_chunking = j->delivery.without_chunking,
	    .events = &attempt_connection_events,
	    .arg = j,
	};
	struct smtp_status s;

	if (!o.tls && o.level != SMTP_CLIENT_TLS_NEVER) {
		s = smtp_status_make(
		    451, "4.3.5", "the certificates of this route's ca_file are not loaded");
		attempt_finish(j, &s, REASON_TLS);
		return;
	}
	j->session = connection_pool_open(j->yard->pool, &o);
}

static void
attempt_next_host(struct attempt *j)
{
	struct destination_cache_host host;
	struct smtp_status s;
	const char *reason;

	if (!j->is_fresh)
		j->session = connection_pool_take(j->yard->pool, j->found);
	if (j->session) {
		smtp_connection_set_owner(j->session, &attempt_connection_events, j);
		send_message(j);
		return;
	}
	switch (host_iterator_step(&j->delivery)) {
	case HOST_ITERATOR_NEEDS_ADDRESSES:
		host = (struct destination_cache_host){
		    &j->found->site, host_iterator_host(&j->delivery)};
		j->query =
		    destination_cache_lookup_host(j->yard->finder, &host, attempt_got_addresses, j);
		break;
	case HOST_ITERATOR_CONNECT:
		connect_host(j);
		break;
	case HOST_ITERATOR_EXHAUSTED:
		s = host_iterator_status(&j->delivery, &reason);
		attempt_finish(j, &s, reason);
		break;
	}
}

/* ---- 3. the talk ---- */

/* The host takes no more recipients in one transaction: those that are left get one of their own,
 * at once, on the same connection if it can be had. */
static void
send_to_remaining(struct attempt *j, size_t before)
{
	struct smtp_status s;

	if (j->out.count == 0) {
		attempt_drop(j);
		return;
	}
	if (j->is_recalled) {
		s = attempt_recalled_status();
		attempt_finish(j, &s, REASON_LOCAL);
		return;
	}
	if (j->out.count == before) {
		s = smtp_status_make(451, "4.3.0", "a transaction ended without a result");
		attempt_finish(j, &s, REASON_LOCAL);
		return;
	}
	j->is_sending = j->is_fresh = false;
	attempt_start_deadline(j);
	attempt_next_host(j);
}

static void
continue_attempt(struct attempt *j, enum smtp_client_step how)
{
	struct smtp_client_end end;
	bool was_reused = j->session->messages > 1, tls_failed;
	const char *tls;
	size_t before = j->out.count;

	if (how == SMTP_CLIENT_WAIT)
		return;
	if (j->is_sending)
		collect_smtp_results(j);
	if (how == SMTP_CLIENT_READY) {
		connection_pool_give(j->yard->pool, j->session);
		j->session = NULL;
		send_to_remaining(j, before);
		return;
	}
	if (j->out.count == 0) {
		attempt_drop(j);
		return;
	}
	end = *smtp_client_end(j->session->client);
	if (strcmp(end.reason ? end.reason : "", REASON_AUTH) == 0)
		log_warn("relay: login at %s[%s] for route %u: %s; check the route's username, "
			 "password and ca_file",
		    j->session->host, j->session->address, j->found->site.route_number,
		    end.status.text);
	if (j->is_late || j->is_recalled || end.has_no_content) {
		attempt_finish(j, &end.status, end.reason);
		return;
	}
	tls_failed = j->session->tls_failed;
	tls = smtp_connection_tls(j->session);
	connection_pool_drop(j->yard->pool, &j->session);
	j->is_sending = false;
	/* an idle connection that had died tells nothing about the host */
	if (was_reused && !j->is_fresh)
		j->was_ready = false;
	else if (tls_failed)
		host_iterator_tls_failed(&j->delivery, &end.status, tls);
	else
		host_iterator_failed(&j->delivery, &end, tls);
	j->is_fresh = true;
	attempt_next_host(j);
}

static void
send_message(struct attempt *j)
{
	j->is_sending = j->was_ready = true;
	continue_attempt(j, smtp_connection_send(j->session, &j->out));
}

static void
attempt_connection_ready(struct smtp_connection *s, void *arg)
{
	struct attempt *j = arg;

	(void)s;
	if (j->is_sending)
		continue_attempt(j, SMTP_CLIENT_READY);
	else
		send_message(j);
}

static void
attempt_connection_over(struct smtp_connection *s, void *arg)
{
	(void)s;
	continue_attempt(arg, SMTP_CLIENT_OVER);
}

/* ---- all of them ---- */

bool
attempts_report_running(struct attempt_context *y, struct channel *queue)
{
	struct attempt *j;

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
attempt_recall(struct attempt *j)
{
	j->is_recalled = true;
	if (!j->is_sending || !smtp_client_sent_content(j->session->client))
		abort_attempt(j, attempt_recalled_status(), REASON_LOCAL);
}

void
attempts_cancel(struct attempt_context *y, uint64_t number, bool is_forced)
{
	struct smtp_status s = smtp_status_make(451, "4.4.2", "the delivery took too long");
	struct attempt *j;

	LIST_FOREACH(j, &y->jobs, link)
	{
		if (j->m.job != number)
			continue;
		if (is_forced)
			abort_late_attempt(j, &s);
		else
			attempt_recall(j);
		return;
	}
}

void
attempts_stop(struct attempt_context *y)
{
	struct attempt *j, *next;

	for (j = LIST_FIRST(&y->jobs); j; j = next) {
		next = LIST_NEXT(j, link);
		if (j->is_sending)
			continue;
		attempt_decline(y, &j->m, -1);
		attempt_drop(j);
	}
}

void
attempts_abandon(struct attempt_context *y)
{
	struct attempt *j;

	while ((j = LIST_FIRST(&y->jobs)))
		attempt_drop(j);
}
