/*
 * schedule_explain: why a delivery waits, and until when.
 */
#include "queue/schedule/schedule.h"

#include "queue/schedule/destinations.h"
#include "queue/schedule/next_hops.h"
#include "queue/schedule/user_queues.h"

static int64_t
earlier_ms(const struct timer *a, const struct timer *b)
{
	return a->at_ms < b->at_ms ? a->at_ms : b->at_ms;
}

void
schedule_explain(
    const struct schedule *s, const struct sched_delivery *p, struct schedule_info *out)
{
	const struct sched_next_hop *d = p->next_hop;
	const struct sched_destination *destination = sched_delivery_destination(p);

	(void)s;
	*out = (struct schedule_info){0};
	if (!d)
		return;
	if (!destination)
		destination = d->destination;
	out->next_hop = d->name;
	if (destination)
		out->destination = destination->name;
	if (p->state == DELIVERY_WAITING) {
		out->next_ms = p->due_ms;
	} else if (p->state == DELIVERY_ASKING && d->state == SCHED_NEXT_HOP_DELAYED) {
		out->next_ms = earlier_ms(&d->timer, &p->timer);
		out->status = d->status;
		out->found_ms = d->found_ms;
	} else if (p->state == DELIVERY_READY && destination->status) {
		if (sched_destinations_is_paused(destination))
			out->next_ms = earlier_ms(&destination->timer, &p->timer);
		out->status = destination->status;
		out->found_ms = destination->found_ms;
	}
}
