/*
 * queue_sizes: reads each number where it is kept; nothing is counted here.
 */
#include "queue/queue_sizes.h"

#include "base/clock.h"
#include "base/metrics.h"

void
queue_sizes_read(struct queue *q, struct queue_sizes *out)
{
	int64_t now_ms = clock_ms(), oldest_ms = queued_oldest_ms(&q->queued);

	*out = (struct queue_sizes){.messages = q->queued.messages.count,
	    .recipients = q->queued.recipients,
	    .held = q->queued.held,
	    .bytes = q->queued.bytes,
	    .oldest_ms = oldest_ms < now_ms ? now_ms - oldest_ms : 0};
	schedule_count(q->schedule, &out->schedule);
	spool_space(q->spool, &out->disk);
	spool_stats(q->spool, &out->spool);
	out->active = out->schedule.asking + out->schedule.ready + out->schedule.running -
	    out->schedule.delayed;
	out->deferred = out->schedule.waiting + out->schedule.delayed;
	out->damages = out->spool.quarantined + out->spool.known_damages;
}

static void
publish_spool_sizes(const struct queue_sizes *s)
{
	metrics_set(METRIC_SPOOL_COMMITS_OK, s->spool.commits);
	metrics_set(METRIC_SPOOL_COMMITS_FAILED, s->spool.failed);
	metrics_set(METRIC_SPOOL_SYNCS, s->spool.syncs);
	metrics_set(METRIC_SPOOL_SYNC_TIME, (uint64_t)s->spool.sync_ms);
	metrics_set(METRIC_SPOOL_SEGMENTS_USED, s->spool.segments);
	metrics_set(METRIC_SPOOL_SEGMENTS_FREE, s->spool.free_segments);
	metrics_set(METRIC_SPOOL_LIVE_BYTES, s->spool.live_bytes);
	metrics_set(METRIC_SPOOL_DISK_FREE_BYTES, s->disk.free_bytes);
	metrics_set(METRIC_SPOOL_DISK_BYTES, s->disk.all_bytes);
	metrics_set(METRIC_SPOOL_SET_ASIDE, s->spool.set_aside);
	metrics_set(METRIC_SPOOL_UNREMOVED, s->spool.unremoved);
	metrics_set(METRIC_SPOOL_DAMAGES, s->damages);
}

void
queue_sizes_publish(struct queue *q)
{
	struct queue_sizes s;

	queue_sizes_read(q, &s);
	metrics_set(METRIC_QUEUE_MESSAGES, s.messages);
	metrics_set(METRIC_QUEUE_MESSAGES_HELD, s.held);
	metrics_set(METRIC_QUEUE_RECIPIENTS, s.recipients);
	metrics_set(METRIC_QUEUE_BYTES, s.bytes);
	metrics_set(METRIC_QUEUE_OLDEST, (uint64_t)s.oldest_ms / 1000);
	metrics_set(METRIC_QUEUE_DELIVERIES_ACTIVE, s.active);
	metrics_set(METRIC_QUEUE_DELIVERIES_DEFERRED, s.deferred);
	metrics_set(METRIC_QUEUE_DELIVERIES_RUNNING, s.schedule.running);
	metrics_set(METRIC_QUEUE_DESTINATIONS, s.schedule.destinations);
	publish_spool_sizes(&s);
}
