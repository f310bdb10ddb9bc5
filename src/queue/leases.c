/*
 * leases: a map of users for each submission process, and the requests that wait for the limit
 * store.  A request of a process that is lost is cancelled; what it took goes back.
 */
#include "queue/leases.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "conf/value.h"
#include "queue/intake_no_room.h"

enum {
	LEASE_USER_MAX = 1024,
	LEASE_ALERT_MS = 24 * 60 * 60 * 1000,
};

/* The tokens of one user that one process has. */
struct lease {
	uint64_t tokens;
	bool is_recalled;
};

/* A request for tokens, which the limit store works on. */
struct lease_request {
	LIST_ENTRY(lease_request) link;
	struct queue_peer *peer;
	uint64_t call;
	struct limit_store_call *store_call; /* NULL: `take` has not returned yet */
	bool has_ended;                      /* answered before `take` returned */
	char *user;
};

void
leases_init(struct queue_peer *peer)
{
	peer->leases = map_new();
	LIST_INIT(&peer->lease_requests);
}

static struct lease *
lease_of(struct queue_peer *peer, struct str user)
{
	struct lease *l = map_get(peer->leases, user);

	if (l || map_count(peer->leases) >= LEASES_PER_PEER_MAX)
		return l;
	l = MEM_NEW(struct lease);
	map_put(peer->leases, user, l);
	return l;
}

static void
lease_give_back(struct queue *q, struct str user, struct lease *l, uint64_t tokens)
{
	if (tokens > l->tokens)
		tokens = l->tokens;
	l->tokens -= tokens;
	if (tokens)
		q->limits->operations->give_back(
		    q->limits, user, limits_of_user(q->role->conf, user), tokens);
}

static void
lease_clear(struct str user, void *value, void *arg)
{
	struct lease *l = value;

	lease_give_back(arg, user, l, l->tokens);
	mem_free(l);
}

static void
free_lease_request(struct lease_request *request)
{
	LIST_REMOVE(request, link);
	mem_free(request->user);
	mem_free(request);
}

void
leases_clear(struct queue_peer *peer)
{
	struct lease_request *request;

	if (!peer->leases)
		return;
	while ((request = LIST_FIRST(&peer->lease_requests))) {
		peer->queue->limits->operations->cancel(peer->queue->limits, request->store_call);
		free_lease_request(request);
	}
	map_each(peer->leases, lease_clear, peer->queue);
	map_free(&peer->leases);
}

/* ---- lending ---- */

static struct smtp_status
lease_over_limit(const struct conf_rates *rates, int64_t retry_ms)
{
	uint64_t minutes = (uint64_t)(retry_ms + 59999) / 60000;
	char limit[80] = "", when[40] = "";

	if (rates->count == 1)
		snprintf(limit, sizeof limit, " of %llu recipients in %lld minutes",
		    (unsigned long long)rates->rate[0].count,
		    (long long)rates->rate[0].period_ms / 60000);
	if (retry_ms > 0)
		snprintf(when, sizeof when, ", try again in %llu min", (unsigned long long)minutes);
	return smtp_status_make(450, "4.7.1", "Your sending limit%s is reached%s", limit, when);
}

/* An alert was sent to main in the last day; else remembers that one is sent now. */
static bool
lease_alert_is_sent(struct queue *q, struct str user)
{
	uint64_t hash = map_hash(user);
	int64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < LIMIT_ALERTS_MAX; i++)
		if (q->limit_alerts[i].at_ms && q->limit_alerts[i].hash == hash &&
		    now_ms - q->limit_alerts[i].at_ms < LEASE_ALERT_MS)
			return true;
	q->limit_alerts[q->next_limit_alert].hash = hash;
	q->limit_alerts[q->next_limit_alert].at_ms = now_ms;
	q->next_limit_alert = (q->next_limit_alert + 1) % LIMIT_ALERTS_MAX;
	return false;
}

static void
lease_alert(struct queue *q, struct str user, const struct smtp_status *s)
{
	char code[SMTP_STATUS_ENHANCED_BYTES];

	if (!lease_alert_is_sent(q, user))
		role_alert(q->role, NOTICE_LIMIT, user, "login %.*s gets %u %s %s", STR_ARG(user),
		    s->code, smtp_status_enhanced(s, code), s->text);
}

/* The rule that applies to the user, with those of its rates that are used up. */
static void
lease_name_limit(
    struct queue *q, struct str user, const struct limits_use *use, struct buf *out)
{
	const struct conf *conf = q->role->conf;
	const struct conf_rates *rates = limits_of_user(conf, user);

	buf_addz(out, rates == &conf->limits.per_user ? "limits.per_user:" : "limits.users:");
	for (size_t i = 0; i < use->count && i < rates->count; i++) {
		if (use->used[i] < rates->rate[i].count)
			continue;
		buf_addc(out, ' ');
		value_print_rate(&rates->rate[i], "recipients", out);
	}
}

static void
lease_recall_others(struct queue_peer *asking, struct str user)
{
	struct message_lease_recall m = {user};
	struct queue_peer *other;

	LIST_FOREACH(other, &asking->queue->peers, link)
	{
		struct lease *l = other != asking && other->leases && other->channel ?
		    map_get(other->leases, user) :
		    NULL;

		if (l && l->tokens && !l->is_recalled)
			l->is_recalled =
			    channel_send(other->channel, MESSAGE_LEASE_RECALL, &m, -1) == 0;
	}
}

/* Why no tokens can be lent to this process; code 0: they can. */
static struct smtp_status
lease_refusal(struct queue_peer *peer, const struct message_lease_ask *m)
{
	int error = spool_admits(peer->queue->spool);

	if (error)
		return intake_no_room(error);
	if (m->user.n == 0 || m->user.n > LEASE_USER_MAX || m->wanted == 0 ||
	    m->wanted > ENVELOPE_RECIPIENTS_MAX)
		return smtp_status_make(
		    554, "5.5.0", "Internal error: the request for limits is not valid");
	if (!lease_of(peer, m->user))
		return intake_no_room(EAGAIN);
	return (struct smtp_status){0};
}

/* Counts the tokens that the store has lent; the answer to the process. */
static struct smtp_status
lease_take(struct queue_peer *peer, struct str user, const struct limit_store_taken *taken)
{
	struct queue *q = peer->queue;
	const struct conf_rates *rates = limits_of_user(q->role->conf, user);
	struct lease *l = lease_of(peer, user);
	struct smtp_status s;

	if (taken->error)
		return smtp_status_make(451, "4.3.0", "The sending limits cannot be checked now");
	if (taken->tokens == 0) {
		s = lease_over_limit(rates, taken->retry_ms);
		lease_alert(q, user, &s);
		return s;
	}
	if (!l) {
		q->limits->operations->give_back(q->limits, user, rates, taken->tokens);
		return intake_no_room(EAGAIN);
	}
	l->tokens += taken->tokens;
	l->is_recalled = false;
	return smtp_status_make(250, "2.0.0", "Ok");
}

static void
on_limits_taken(const struct limit_store_taken *taken, void *arg)
{
	struct lease_request *request = arg;
	struct queue_peer *peer = request->peer;
	struct str user = str_of(request->user);
	struct message_lease answer = {0};
	struct buf limit;

	buf_init(&limit, VALUE_RATES_TEXT_BYTES);
	if (taken->is_near)
		lease_recall_others(peer, user);
	answer.status = lease_take(peer, user, taken);
	if (answer.status.code == 250)
		answer.tokens = (uint32_t)taken->tokens;
	if (answer.status.code == 450)
		lease_name_limit(peer->queue, user, &taken->use, &limit);
	answer.limit = buf_str(&limit);
	(void)!channel_answer(peer->channel, request->call, MESSAGE_LEASE, &answer, -1);
	buf_clear(&limit);
	if (request->store_call)
		free_lease_request(request);
	else
		request->has_ended = true;
}

void
leases_ask(struct queue_peer *peer, uint64_t call, const struct message_lease_ask *m)
{
	struct limit_store *limits = peer->queue->limits;
	struct message_lease refusal = {.status = lease_refusal(peer, m)};
	struct limit_store_question question = {.user = m->user, .wanted = m->wanted,
	    .rates = limits_of_user(peer->queue->role->conf, m->user),
	    .more_max = LEASE_TOKENS_MAX};
	struct lease_request *request;

	if (refusal.status.code) {
		(void)!channel_answer(peer->channel, call, MESSAGE_LEASE, &refusal, -1);
		return;
	}
	request = MEM_NEW(struct lease_request);
	*request = (struct lease_request){.peer = peer, .call = call};
	request->user = mem_text(m->user.p, m->user.n);
	LIST_INSERT_HEAD(&peer->lease_requests, request, link);
	request->store_call =
	    limits->operations->take(limits, &question, on_limits_taken, request);
	if (request->has_ended)
		free_lease_request(request);
}

uint64_t
leases_count(const struct queue *q, struct str user)
{
	const struct queue_peer *peer;
	uint64_t n = 0;

	LIST_FOREACH(peer, &q->peers, link)
	{
		const struct lease *l = peer->leases ? map_get(peer->leases, user) : NULL;

		n += l ? l->tokens : 0;
	}
	return n;
}

/* ---- the end of a lease ---- */

void
leases_returned(struct queue_peer *peer, const struct message_lease_return *m)
{
	struct lease *l = map_get(peer->leases, m->user);

	if (!l)
		return;
	lease_give_back(peer->queue, m->user, l, m->is_all ? l->tokens : m->tokens);
	l->is_recalled = false;
	if (l->tokens)
		return;
	map_remove(peer->leases, m->user);
	mem_free(l);
}

void
leases_spend(struct queue *q, struct queue_peer *peer, struct str user, uint64_t count)
{
	struct lease *l = peer && peer->leases ? map_get(peer->leases, user) : NULL;
	const struct conf_rates *rates = limits_of_user(q->role->conf, user);
	uint64_t lent = l ? l->tokens : 0;

	if (lent >= count) {
		l->tokens -= count;
		return;
	}
	if (l)
		l->tokens = 0;
	q->limits->operations->spend(q->limits, user, rates, count - lent);
}
