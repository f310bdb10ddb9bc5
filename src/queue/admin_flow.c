/*
 * admin_flow: see the header.
 */
#include "queue/admin_flow.h"

enum { ADMIN_FLOW_CONTROL_MAX = 1 << 20 };

bool
admin_flow_can_send(const struct admin_command *errand)
{
	return !errand->peer || channel_waiting(errand->peer->channel) <= ADMIN_FLOW_CONTROL_MAX;
}

bool
admin_flow_has_window(const struct admin_command *errand)
{
	return !errand->peer || errand->is_gone || errand->untaken_bytes < MESSAGE_ROWS_WINDOW;
}

bool
admin_flow_count_row(struct admin_command *errand, size_t row_bytes)
{
	errand->untaken_bytes += row_bytes;
	return errand->peer && !errand->is_gone;
}

/* One whose client is gone ends, or goes on without rows when it changes messages. */
void
admin_flow_rows_taken(struct queue_peer *peer, const struct channel_packet *p)
{
	const struct message_admin_taken *m = &p->message->admin_taken;
	struct admin_command *errand;

	TAILQ_FOREACH(errand, &peer->queue->errands, link)
		if (errand->peer == peer && errand->call == p->call) {
			errand->untaken_bytes -=
			    m->bytes < errand->untaken_bytes ? m->bytes : errand->untaken_bytes;
			errand->is_gone |= m->is_gone;
			queue_wake_admin(peer->queue);
			return;
		}
}
