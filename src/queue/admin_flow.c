/*
 * admin_flow: see the header.
 */
#include "queue/admin_flow.h"

enum { CREDIT_CONTROL_MAX = 1 << 20 };

bool
credit_has_way(const struct errand *errand)
{
	return !errand->peer || channel_waiting(errand->peer->channel) <= CREDIT_CONTROL_MAX;
}

bool
credit_is_left(const struct errand *errand)
{
	return !errand->peer || errand->is_gone || errand->untaken_bytes < MESSAGE_ROWS_WINDOW;
}

bool
credit_use(struct errand *errand, size_t row_bytes)
{
	errand->untaken_bytes += row_bytes;
	return errand->peer && !errand->is_gone;
}

/* One whose client is gone ends, or goes on without rows when it changes messages. */
void
credit_take(struct peer *peer, const struct packet *p)
{
	const struct message_admin_taken *m = &p->message->admin_taken;
	struct errand *errand;

	TAILQ_FOREACH(errand, &peer->queue->errands, link)
		if (errand->peer == peer && errand->call == p->call) {
			errand->untaken_bytes -=
			    m->bytes < errand->untaken_bytes ? m->bytes : errand->untaken_bytes;
			errand->is_gone |= m->is_gone;
			queue_wake_errands(peer->queue);
			return;
		}
}
