/*
 * instance: see the header.
 */
#include "main/instance.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/error_text.h"
#include "base/log.h"
#include "main/metric_sums.h"
#include "main/resources_system.h"
#include "main/restart_backoff.h"
#include "main/spawn.h"
#include "submission/client_counts.h"

const char *
instance_trouble(const struct instance *i, char out[METRICS_TROUBLE_TEXT_BYTES])
{
	char file[RESOURCES_SYSTEM_TEXT_BYTES];

	metrics_read_trouble(i->region, out);
	if (!out[0] && metrics_read_lacks_descriptors(i->region))
		snprintf(out, METRICS_TROUBLE_TEXT_BYTES, "work is refused or put off: %s",
		    error_text(EMFILE));
	if (i->kind == ROLE_RELAY && !out[0])
		snprintf(out, METRICS_TROUBLE_TEXT_BYTES, "%s",
		    resources_system_trouble(i->daemon->resources, file));
	return out;
}

void
instance_force_restart(struct instance *i, const char *why)
{
	log_error("%s %u: %s: it is started again", role_name(i->kind), i->index, why);
	spawn_kill(i);
}

static void
instance_return_slot(struct instance *i)
{
	if (i->slot < 0)
		return;
	client_counts_wipe(i->daemon->clients_fd, (unsigned)i->slot);
	instance_slots_return(&i->daemon->slots, i->slot, clock_mono_ms());
	i->slot = -1;
}

void
instance_release(struct instance *i)
{
	channel_free(&i->channel);
	metric_sums_keep(i);
	metrics_unmap(&i->region);
	i->state = INSTANCE_DOWN;
	instance_return_slot(i);
}

void
instance_plan_restart(struct instance *i)
{
	struct timeval tv;

	if (clock_mono_ms() - i->started_ms > RESTART_BACKOFF_STEADY_MS)
		i->failures = 0;
	tv = restart_backoff_timeval(i->failures++);
	i->restarts++;
	event_add(i->restart_timer, &tv);
}
