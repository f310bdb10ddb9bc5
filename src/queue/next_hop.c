/*
 * next_hop: a map of decisions that is emptied when it is full or when the routes change.  After a
 * reload a cursor goes through the messages; messages that come meanwhile are decided by the new
 * configuration already.
 */
#include "queue/next_hop.h"

#include "base/clock.h"
#include "base/mem.h"
#include "policy/destination.h"

static char *
decide_next_hop(const struct conf *c, struct str domain)
{
	struct destination to;
	char room[IDN_BYTES], *text;
	struct buf b;

	destination_decide(c, domain, room, &to);
	buf_init(&b, DESTINATION_TEXT_MAX);
	destination_format(&to, &b);
	text = mem_text(b.p, b.n);
	buf_clear(&b);
	return text;
}

static void
forget_next_hops(struct queue *q)
{
	map_free_all(&q->next_hops.by_domain);
	q->next_hops.by_domain = map_new();
}

struct str
next_hop_of(struct queue *q, const struct delivery *delivery)
{
	struct str domain = delivery_domain(delivery);
	char *text = map_get(q->next_hops.by_domain, domain);

	if (text)
		return str_of(text);
	if (map_count(q->next_hops.by_domain) >= NEXT_HOP_DECISIONS_MAX)
		forget_next_hops(q);
	text = decide_next_hop(q->role->conf, domain);
	map_put(q->next_hops.by_domain, domain, text);
	return str_of(text);
}

/* ---- after a reload ---- */

static void
update_next_hops(struct queue *q, struct queued_message *e)
{
	for (size_t i = 0; i < e->delivery_count; i++)
		schedule_redirect(q->schedule, &e->deliveries[i].sched,
		    next_hop_of(q, &e->deliveries[i]), clock_ms());
}

static void
arm_next_hop_event(struct queue *q)
{
	static const struct timeval at_once = {0, 0};

	if (evtimer_add(q->next_hops.event, &at_once) != 0)
		die("queue: no timer");
}

static void
update_next_slice(evutil_socket_t fd, short what, void *arg)
{
	struct queue *q = arg;

	(void)fd;
	(void)what;
	for (size_t n = 0; n < NEXT_HOP_SLICE && q->next_hops.cursor;) {
		struct queued_message *e = q->next_hops.cursor;

		q->next_hops.cursor = id_table_next(&q->queued.messages, e);
		update_next_hops(q, e);
		n += e->delivery_count;
	}
	if (q->next_hops.cursor)
		arm_next_hop_event(q);
	queue_wake(q);
}

void
next_hop_reload(struct queue *q, const struct conf *before)
{
	if (destination_is_unchanged(before, q->role->conf))
		return;
	forget_next_hops(q);
	q->next_hops.cursor = id_table_first(&q->queued.messages);
	if (q->next_hops.cursor)
		arm_next_hop_event(q);
}

bool
next_hop_is_former(struct queue *q, const struct delivery *delivery)
{
	return q->next_hops.cursor && !schedule_is_to(&delivery->sched, next_hop_of(q, delivery));
}

void
next_hop_message_removed(struct queue *q, const struct queued_message *e)
{
	if (q->next_hops.cursor == e)
		q->next_hops.cursor = id_table_next(&q->queued.messages, e);
}

/* ---- life ---- */

void
next_hop_init(struct queue *q, struct event_base *base)
{
	q->next_hops.by_domain = map_new();
	q->next_hops.event = evtimer_new(base, update_next_slice, q);
	if (!q->next_hops.event)
		die("queue: no timer");
}

void
next_hop_clear(struct queue *q)
{
	if (q->next_hops.event)
		event_free(q->next_hops.event);
	map_free_all(&q->next_hops.by_domain);
}
