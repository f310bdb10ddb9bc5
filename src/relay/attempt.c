/*
 * attempt: the steps of an attempt stand in the order in which they happen.  An attempt waits for
 * one thing at a time (a lookup, a connection, a transaction), and frees itself after its last
 * result.
 */
#include "relay/attempt_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "relay/own_addresses.h"
#include "relay/reason.h"

static void attempt_next_host(struct attempt *attempt);
static void send_message(struct attempt *attempt);

/* ---- results and the end of an attempt ---- */

void
attempt_drop(struct attempt *attempt)
{
	struct attempt_context *context = attempt->context;

	LIST_REMOVE(attempt, link);
	context->attempt_count--;
	if (event_initialized(&attempt->deadline))
		event_del(&attempt->deadline);
	if (event_initialized(&attempt->next_scan))
		event_del(&attempt->next_scan);
	destination_cache_cancel(&attempt->lookup);
	resolver_cancel(&attempt->query);
	if (attempt->connection)
		connection_pool_drop(context->pool, &attempt->connection);
	cached_destination_drop(&attempt->destination);
	body_reader_clear(&attempt->body);
	message_source_clear(&attempt->source);
	arena_clear(&attempt->arena);
	mem_free(attempt);
	if (context->attempt_ended)
		context->attempt_ended(context);
}

/* The host of the result: that of the open connection, or the one that the status came from. */
static void
fill_result_host(
    const struct attempt *attempt, char address[INET6_ADDRSTRLEN_], struct message_result *m)
{
	const struct smtp_connection *connection = attempt->connection;
	const struct host_iterator *hosts = &attempt->hosts;

	if (connection) {
		m->host = str_of(connection->host);
		m->address = str_of(connection->address);
		m->port = connection->port;
		m->source = str_of(connection->source);
		m->tls = str_of(smtp_connection_tls(connection));
	} else if (hosts->destination && hosts->status.code) {
		m->host = str_of(hosts->destination->hosts[hosts->host_of_status].name);
		m->tls = str_of(hosts->tls_of_status);
		endpoint_text(&hosts->address_of_status.sa, address, &m->port);
		m->address = str_of(address);
	}
}

void
attempt_report_result(
    struct attempt *attempt, uint32_t number, const struct smtp_client_result *r, bool is_last)
{
	char address[INET6_ADDRSTRLEN_];
	struct message_result m = {
	    .attempt_id = attempt->deliver.attempt_id,
	    .ticket = attempt->deliver.ticket,
	    .id = attempt->envelope.id,
	    .recipient = number,
	    .status = r->status,
	    .reason = str_of(r->reason),
	    .took_ms = clock_mono_ms() - attempt->began_ms,
	    .destination = attempt->deliver.destination,
	    .is_last = is_last,
	    .dsn_passed_on = r->dsn_passed_on,
	    .was_ready = attempt->was_ready,
	    .is_delivered = r->is_delivered,
	};

	if (attempt->destination && attempt->destination->resolved.name[0])
		m.destination = str_of(attempt->destination->resolved.name);
	fill_result_host(attempt, address, &m);
	pending_results_add(attempt->context->results, attempt->context->queue, &m);
}

/* Reports the recipients that have a result, and keeps the numbers of the others. */
static void
collect_smtp_results(struct attempt *attempt)
{
	const struct smtp_client_result *r = smtp_client_results(attempt->connection->client);
	size_t left = 0;

	for (size_t i = 0; i < attempt->source.count; i++)
		left += r[i].status.code == 0;
	for (size_t i = 0, reported = 0, open = 0; i < attempt->source.count; i++) {
		if (r[i].status.code == 0)
			attempt->numbers[open++] = attempt->numbers[i];
		else
			attempt_report_result(attempt, attempt->numbers[i], &r[i],
			    left == 0 && ++reported == attempt->source.count);
	}
	attempt->source.count = left;
}

void
attempt_finish(struct attempt *attempt, const struct smtp_status *s, const char *reason)
{
	struct smtp_client_result r = {.status = *s, .reason = reason};

	for (size_t i = 0; i < attempt->source.count; i++)
		attempt_report_result(
		    attempt, attempt->numbers[i], &r, i + 1 == attempt->source.count);
	attempt_drop(attempt);
}

/* ---- the deadline ---- */

/* Ends the attempt for the recipients without a result.  Recipients that a host has refused keep
 * that result. */
static void
abort_attempt(struct attempt *attempt, struct smtp_status s, const char *reason)
{
	const struct smtp_client_end *end;

	destination_cache_cancel(&attempt->lookup);
	resolver_cancel(&attempt->query);
	if (attempt->connection) {
		smtp_client_lost(attempt->connection->client, &s, reason);
		end = smtp_client_end(attempt->connection->client);
		s = end->status;
		reason = end->reason;
		if (attempt->is_sending)
			collect_smtp_results(attempt);
	} else if (attempt->hosts.status.code) {
		s = host_iterator_status(&attempt->hosts, &reason);
	}
	if (attempt->source.count)
		attempt_finish(attempt, &s, reason);
	else
		attempt_drop(attempt);
}

/* While the content is scanned no host has been contacted: the disk caused the delay. */
static void
abort_late_attempt(struct attempt *attempt, const struct smtp_status *s)
{
	if (attempt->is_scanning)
		abort_attempt(attempt, message_source_late_status(), REASON_LOCAL);
	else
		abort_attempt(attempt, *s, REASON_TIMEOUT);
}

/* A transfer of content that is under way has its own deadlines, also while its next block is read
 * from disk. */
static void
attempt_deadline_passed(evutil_socket_t fd, short what, void *arg)
{
	struct attempt *attempt = arg;
	int64_t limit_ms =
	    destination_cache_conf(attempt->context->destinations)->timeouts.attempt_ms;
	struct smtp_status s = smtp_status_make(451, "4.4.2",
	    "no host took the message within %lld s", (long long)(limit_ms / 1000));

	(void)fd;
	(void)what;
	attempt->is_late = true;
	if (!attempt->is_sending || !smtp_client_envelope_answered(attempt->connection->client))
		abort_late_attempt(attempt, &s);
}

static struct smtp_status
attempt_cancelled_status(void)
{
	return smtp_status_make(451, "4.3.0", "the operator ended the attempt");
}

void
attempt_start_deadline(struct attempt *attempt)
{
	int64_t ms = destination_cache_conf(attempt->context->destinations)->timeouts.attempt_ms;
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	metrics_work_id("deliver", attempt->envelope.id);
	attempt->is_late = false;
	if (!event_initialized(&attempt->deadline))
		event_assign(&attempt->deadline, attempt->context->base, -1, 0,
		    attempt_deadline_passed, attempt);
	if (event_add(&attempt->deadline, &tv) != 0)
		die("relay: no timer");
}

/* ---- 1. the destination ---- */

static void
attempt_got_destination(struct cached_destination *destination, void *arg)
{
	struct attempt *attempt = arg;

	attempt->lookup = NULL;
	attempt->destination = destination;
	if (destination->lacks_credentials) {
		attempt_decline(attempt->context, &attempt->deliver, -1, attempt_reloading());
		attempt_drop(attempt);
		return;
	}
	if (destination->resolved.status.code) {
		attempt_finish(
		    attempt, &destination->resolved.status, destination->resolved.reason);
		return;
	}
	host_iterator_init(&attempt->hosts, &destination->resolved);
	attempt->hosts.is_own = own_address_check;
	attempt_next_host(attempt);
}

void
attempt_find_destination(struct attempt *attempt)
{
	struct cached_destination *destination =
	    destination_cache_get(attempt->context->destinations, attempt->deliver.next_hop);

	if (destination)
		attempt_got_destination(destination, attempt);
	else
		attempt->lookup = destination_cache_lookup(attempt->context->destinations,
		    attempt->deliver.next_hop, attempt_got_destination, attempt);
}

/* ---- 2. the connection ---- */

static void
attempt_got_addresses(const struct resolver_answer *a, void *arg)
{
	struct attempt *attempt = arg;
	const struct resolved_destination *resolved = &attempt->destination->resolved;

	attempt->query = NULL;
	host_iterator_got_addresses(&attempt->hosts, a);
	if (attempt->hosts.lacks_route_host)
		route_host_log_missing(&attempt->context->route_hosts, resolved);
	else if (a->outcome == RESOLVER_FOUND)
		route_host_log_found(&attempt->context->route_hosts, resolved);
	attempt_next_host(attempt);
}

static void attempt_connection_ready(struct smtp_connection *connection, void *arg);
static void attempt_connection_over(struct smtp_connection *connection, void *arg);

static const struct smtp_connection_events attempt_connection_events = {
    .ready = attempt_connection_ready, .over = attempt_connection_over};

static void
connect_host(struct attempt *attempt)
{
	struct smtp_connection_options options = {
	    .base = attempt->context->base,
	    .destination = attempt->destination,
	    .tls = tls_trust_for(attempt->context->tls_trust, &attempt->destination->resolved.to),
	    .host = host_iterator_host(&attempt->hosts),
	    .address = host_iterator_address(&attempt->hosts),
	    .tls_level = host_iterator_tls(&attempt->hosts),
	    .without_chunking = attempt->hosts.without_chunking,
	    .events = &attempt_connection_events,
	    .arg = attempt,
	};
	struct smtp_status s;

	if (!options.tls && options.tls_level != SMTP_CLIENT_TLS_NEVER) {
		s = smtp_status_make(
		    451, "4.3.5", "the certificates of this route's ca_file are not loaded");
		attempt_finish(attempt, &s, REASON_TLS);
		return;
	}
	attempt->connection = connection_pool_open(attempt->context->pool, &options);
}

static void
attempt_next_host(struct attempt *attempt)
{
	struct destination_cache_host host;
	struct smtp_status s;
	const char *reason;

	if (!attempt->needs_new_connection)
		attempt->connection =
		    connection_pool_take(attempt->context->pool, attempt->destination);
	if (attempt->connection) {
		smtp_connection_set_owner(attempt->connection, &attempt_connection_events, attempt);
		send_message(attempt);
		return;
	}
	switch (host_iterator_step(&attempt->hosts)) {
	case HOST_ITERATOR_NEEDS_ADDRESSES:
		host = (struct destination_cache_host){
		    &attempt->destination->resolved, host_iterator_host(&attempt->hosts)};
		attempt->query = destination_cache_lookup_host(
		    attempt->context->destinations, &host, attempt_got_addresses, attempt);
		break;
	case HOST_ITERATOR_CONNECT:
		connect_host(attempt);
		break;
	case HOST_ITERATOR_EXHAUSTED:
		s = host_iterator_status(&attempt->hosts, &reason);
		attempt_finish(attempt, &s, reason);
		break;
	}
}

/* ---- 3. the transaction ---- */

/* The host takes no more recipients in one transaction: the remaining recipients get a transaction
 * of their own at once, on the same connection if it is still available. */
static void
send_to_remaining(struct attempt *attempt, size_t before)
{
	struct smtp_status s;

	if (attempt->source.count == 0) {
		attempt_drop(attempt);
		return;
	}
	if (attempt->is_cancelled) {
		s = attempt_cancelled_status();
		attempt_finish(attempt, &s, REASON_LOCAL);
		return;
	}
	if (attempt->source.count == before) {
		s = smtp_status_make(451, "4.3.0", "a transaction ended without a result");
		attempt_finish(attempt, &s, REASON_LOCAL);
		return;
	}
	attempt->is_sending = attempt->needs_new_connection = false;
	attempt_start_deadline(attempt);
	attempt_next_host(attempt);
}

static void
continue_attempt(struct attempt *attempt, enum smtp_client_step how)
{
	struct smtp_client_end end;
	bool was_reused = attempt->connection->messages > 1, tls_failed;
	const char *tls;
	size_t before = attempt->source.count;

	if (how == SMTP_CLIENT_WAIT)
		return;
	if (attempt->is_sending)
		collect_smtp_results(attempt);
	if (how == SMTP_CLIENT_READY) {
		connection_pool_give(attempt->context->pool, attempt->connection);
		attempt->connection = NULL;
		send_to_remaining(attempt, before);
		return;
	}
	if (attempt->source.count == 0) {
		attempt_drop(attempt);
		return;
	}
	end = *smtp_client_end(attempt->connection->client);
	if (strcmp(end.reason ? end.reason : "", REASON_AUTH) == 0)
		log_warn("relay: login at %s[%s] for %s: %s; check the username, password and "
		         "ca_file of the route",
		    attempt->connection->host, attempt->connection->address,
		    attempt->destination->resolved.name, end.status.text);
	if (attempt->is_late || attempt->is_cancelled || end.has_no_content) {
		attempt_finish(attempt, &end.status, end.reason);
		return;
	}
	tls_failed = attempt->connection->tls_failed;
	tls = smtp_connection_tls(attempt->connection);
	connection_pool_drop(attempt->context->pool, &attempt->connection);
	attempt->is_sending = false;
	/* an idle connection that was already broken says nothing about the host */
	if (was_reused && !attempt->needs_new_connection)
		attempt->was_ready = false;
	else if (tls_failed)
		host_iterator_tls_failed(&attempt->hosts, &end.status, tls);
	else
		host_iterator_failed(&attempt->hosts, &end, tls);
	attempt->needs_new_connection = true;
	attempt_next_host(attempt);
}

static void
send_message(struct attempt *attempt)
{
	attempt->is_sending = attempt->was_ready = true;
	continue_attempt(attempt, smtp_connection_send(attempt->connection, &attempt->source));
}

static void
attempt_connection_ready(struct smtp_connection *connection, void *arg)
{
	struct attempt *attempt = arg;

	(void)connection;
	if (attempt->is_sending)
		continue_attempt(attempt, SMTP_CLIENT_READY);
	else
		send_message(attempt);
}

static void
attempt_connection_over(struct smtp_connection *connection, void *arg)
{
	(void)connection;
	continue_attempt(arg, SMTP_CLIENT_OVER);
}

/* ---- all attempts ---- */

bool
attempts_report_running(struct attempt_context *context, struct channel *queue)
{
	struct attempt *attempt;

	LIST_FOREACH(attempt, &context->attempts, link)
	{
		struct message_running m = {.attempt_id = attempt->deliver.attempt_id,
		    .ticket = attempt->deliver.ticket,
		    .id = attempt->envelope.id,
		    .numbers = str_make((const char *)attempt->numbers,
		        attempt->source.count * sizeof *attempt->numbers),
		    .next_hop = attempt->deliver.next_hop,
		    .destination = attempt->deliver.destination};

		if (channel_send(queue, MESSAGE_RUNNING, &m, -1) != 0)
			return false;
	}
	return true;
}

static void
cancel_unsent_attempt(struct attempt *attempt)
{
	attempt->is_cancelled = true;
	if (!attempt->is_sending || !smtp_client_sent_content(attempt->connection->client))
		abort_attempt(attempt, attempt_cancelled_status(), REASON_LOCAL);
}

void
attempts_cancel(struct attempt_context *context, uint64_t attempt_id, bool is_forced)
{
	struct smtp_status s = smtp_status_make(451, "4.4.2", "the delivery took too long");
	struct attempt *attempt;

	LIST_FOREACH(attempt, &context->attempts, link)
	{
		if (attempt->deliver.attempt_id != attempt_id)
			continue;
		if (is_forced)
			abort_late_attempt(attempt, &s);
		else
			cancel_unsent_attempt(attempt);
		return;
	}
}

void
attempts_stop(struct attempt_context *context)
{
	struct attempt *attempt, *next;

	for (attempt = LIST_FIRST(&context->attempts); attempt; attempt = next) {
		next = LIST_NEXT(attempt, link);
		if (attempt->is_sending)
			continue;
		attempt_decline(context, &attempt->deliver, -1, attempt_stopping());
		attempt_drop(attempt);
	}
}

void
attempts_abandon(struct attempt_context *context)
{
	struct attempt *attempt;

	while ((attempt = LIST_FIRST(&context->attempts)))
		attempt_drop(attempt);
}
