/*
 * admin_rows: rows to control, which passes them on to the tool.
 */
#include "queue/admin/admin_rows.h"

#include "queue/admin/admin_flow.h"

enum { ADMIN_ROWS_IDS_MAX = 256 }; /* in one row */

void
admin_rows_send_with(struct admin_command *command, struct buf *values, int fd)
{
	struct message_admin_row m = {.values = buf_str(values)};

	if (admin_flow_count_row(command, m.values.n, 1))
		(void)!channel_answer(
		    command->peer->channel, command->call, MESSAGE_ADMIN_ROW, &m, fd);
	buf_clear(values);
}

void
admin_rows_send(struct admin_command *command, struct buf *values)
{
	admin_rows_send_with(command, values, -1);
}

void
admin_rows_changed(struct admin_command *command, struct msgid id)
{
	char text[ID_NUMBER_TEXT_BYTES];

	if (command->changed < ADMIN_COMMAND_IDS_LOGGED)
		command->first_ids[command->changed] = id;
	command->changed++;
	if (command->id_count++ == 0)
		message_values_add(&command->ids, "row", STR("ids"));
	message_values_add(&command->ids, "id", str_of(msgid_text(id, 0, text)));
	if (command->id_count == ADMIN_ROWS_IDS_MAX)
		admin_rows_send_ids(command);
}

void
admin_rows_send_ids(struct admin_command *command)
{
	struct message_admin_row m = {.values = buf_str(&command->ids)};

	if (command->id_count && admin_flow_count_row(command, m.values.n, command->id_count))
		(void)!channel_answer(
		    command->peer->channel, command->call, MESSAGE_ADMIN_ROW, &m, -1);
	command->id_count = 0;
	buf_reset(&command->ids);
}
