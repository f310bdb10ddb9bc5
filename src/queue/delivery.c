/*
 * delivery: what only deliveries that were tried need.
 */
#include "queue/delivery.h"

#include "base/mem.h"

static struct delivery_run *
delivery_ensure_run(struct delivery *delivery)
{
	if (!delivery->run)
		delivery->run = MEM_NEW(struct delivery_run);
	return delivery->run;
}

static void
delivery_drop_run(struct delivery *delivery)
{
	const struct delivery_run *run = delivery->run;

	if (run->attempt || run->late_attempt_id || run->unanswered_ms)
		return;
	mem_free(delivery->run);
	delivery->run = NULL;
}

void
delivery_set_attempt(struct delivery *delivery, struct dispatch_attempt *attempt)
{
	delivery_ensure_run(delivery)->attempt = attempt;
	delivery_drop_run(delivery);
}

void
delivery_set_late_attempt(struct delivery *delivery, uint64_t attempt_id)
{
	delivery_ensure_run(delivery)->late_attempt_id = attempt_id;
	delivery_drop_run(delivery);
}

void
delivery_set_unanswered(struct delivery *delivery, int64_t at_ms)
{
	delivery_ensure_run(delivery)->unanswered_ms = at_ms;
	delivery_drop_run(delivery);
}
