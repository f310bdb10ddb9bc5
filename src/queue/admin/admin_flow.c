/*
 * admin_flow: there are two limits: the bytes that the tool has not taken, for each command, and
 * the bytes that wait in the channel to control. A command for which others wait does not stop at
 * them: its rows are counted and not sent. A command without a client sends none. Nothing is sent
 * here, and nothing waits here.
 */
#include "queue/admin/admin_flow.h"

enum { ADMIN_FLOW_CONTROL_MAX = 1 << 20 };

static bool
admin_flow_is_control_reading(const struct admin_command *command)
{
	return channel_waiting(command->peer->channel) <= ADMIN_FLOW_CONTROL_MAX;
}

static bool
admin_flow_is_client_reading(const struct admin_command *command)
{
	return command->untaken_bytes < MESSAGE_ROWS_WINDOW;
}

bool
admin_flow_can_send(const struct admin_command *command)
{
	return !command->peer || command->is_awaited || admin_flow_is_control_reading(command);
}

bool
admin_flow_has_window(const struct admin_command *command)
{
	return !command->peer || command->is_client_gone || command->is_awaited ||
	       admin_flow_is_client_reading(command);
}

bool
admin_flow_count_row(struct admin_command *command, size_t row_bytes, size_t messages)
{
	if (!command->peer || command->is_client_gone)
		return false;
	if (command->is_awaited && (!admin_flow_is_client_reading(command) ||
	                               !admin_flow_is_control_reading(command))) {
		command->untold += messages;
		return false;
	}
	command->untaken_bytes += row_bytes;
	return true;
}

/* A command without a client ends, or goes on without rows when it changes messages. */
void
admin_flow_rows_taken(struct queue_peer *peer, const struct channel_packet *p)
{
	const struct message_admin_taken *m = &p->message->admin_taken;
	struct admin_command *command;

	TAILQ_FOREACH(command, &peer->queue->admin_commands, link)
		if (command->peer == peer && command->call == p->call) {
			command->untaken_bytes -=
			    m->bytes < command->untaken_bytes ? m->bytes : command->untaken_bytes;
			command->is_client_gone |= m->is_gone;
			queue_wake_admin(peer->queue);
			return;
		}
}
