/*
 * leases: see the header.
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
	LEASE_NEAR_PART = 4,  /* near the limit: a quarter of it or less is free */
	LEASE_SPARE_PART = 8, /* so much of what is free is lent beyond what is wanted */
	LEASE_ALERT_MS = 24 * 60 * 60 * 1000,
};

/* The tokens of one user that one process has. */
struct lease {
	uint64_t tokens;
	bool is_recalled;
};

void
leases_init(struct queue_peer *peer)
{
	peer->leases = map_new();
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
		rate_limits_give_back(
		    q->rate_limits, user, limits_of_user(q->role->conf, user), tokens);
}

static void
lease_clear(struct str user, void *value, void *arg)
{
	struct lease *l = value;

	lease_give_back(arg, user, l, l->tokens);
	mem_free(l);
}

void
leases_clear(struct queue_peer *peer)
{
	if (!peer->leases)
		return;
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
lease_name_limit(struct queue *q, struct str user, struct buf *out)
{
	const struct conf *conf = q->role->conf;
	const struct conf_rates *rates = limits_of_user(conf, user);
	struct limits_use use;

	rate_limits_look(q->rate_limits, user, rates, &use);
	buf_addz(out, rates == &conf->limits.per_user ? "limits.per_user:" : "limits.users:");
	for (size_t i = 0; i < use.count; i++) {
		if (use.used[i] < rates->rate[i].count)
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

/* How many tokens to lend: more than wanted only while many are free. */
static uint64_t
lease_amount(
    struct queue_peer *peer, struct str user, const struct conf_rates *rates, uint64_t wanted)
{
	uint64_t spare = rate_limits_spare(peer->queue->rate_limits, user, rates);
	uint64_t more = spare / LEASE_SPARE_PART;

	if (rate_limits_is_near(peer->queue->rate_limits, user, rates, LEASE_NEAR_PART)) {
		lease_recall_others(peer, user);
		more = 0;
	}
	more = more < LEASE_TOKENS_MAX ? more : LEASE_TOKENS_MAX;
	if (wanted > more)
		return wanted < spare || spare == 0 ? wanted : spare;
	return more;
}

static struct smtp_status
lease_lend(struct queue_peer *peer, const struct message_lease_ask *m, uint32_t *tokens_out)
{
	struct queue *q = peer->queue;
	const struct conf_rates *rates = limits_of_user(q->role->conf, m->user);
	int error = spool_admits(q->spool);
	struct lease *l;
	uint64_t amount;
	int64_t retry_ms;

	if (error)
		return intake_no_room(error);
	if (m->user.n == 0 || m->user.n > LEASE_USER_MAX || m->wanted == 0 ||
	    m->wanted > ENVELOPE_RECIPIENTS_MAX)
		return smtp_status_make(
		    554, "5.5.0", "Internal error: the request for limits is not valid");
	amount = lease_amount(peer, m->user, rates, m->wanted);
	l = lease_of(peer, m->user);
	if (!l)
		return intake_no_room(EAGAIN);
	retry_ms = rate_limits_take(q->rate_limits, m->user, rates, amount);
	if (retry_ms) {
		struct smtp_status s = lease_over_limit(rates, retry_ms);

		lease_alert(q, m->user, &s);
		return s;
	}
	l->tokens += amount;
	l->is_recalled = false;
	*tokens_out = (uint32_t)amount;
	return smtp_status_make(250, "2.0.0", "Ok");
}

void
leases_ask(struct queue_peer *peer, uint64_t call, const struct message_lease_ask *m)
{
	struct message_lease answer = {0};

	struct buf limit;

	buf_init(&limit, VALUE_RATES_TEXT_BYTES);
	answer.status = lease_lend(peer, m, &answer.tokens);
	if (answer.status.code == 450)
		lease_name_limit(peer->queue, m->user, &limit);
	answer.limit = buf_str(&limit);
	(void)!channel_answer(peer->channel, call, MESSAGE_LEASE, &answer, -1);
	buf_clear(&limit);
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
	uint64_t lent = l ? l->tokens : 0, spare;

	if (lent >= count) {
		l->tokens -= count;
		return;
	}
	if (l)
		l->tokens = 0;
	spare = rate_limits_spare(q->rate_limits, user, rates);
	if (spare > count - lent)
		spare = count - lent;
	(void)!rate_limits_take(q->rate_limits, user, rates, spare);
}
