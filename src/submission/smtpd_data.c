/*
 * smtpd_data: only dot_take knows where the data ends; DATA counts as one chunk, the last one.
 */
#include "submission/smtpd_data.h"

#include "submission/content_input.h"
#include "submission/stages.h"

enum session_step
smtpd_data_command(struct session *s, struct str args)
{
	struct smtp_status status = smtp_status_make(354, NULL, "End data with <CR><LF>.<CR><LF>");

	if (args.n > 0) {
		status = smtp_status_make(501, "5.5.4", "No parameters allowed");
		return session_refuse(s, "command", "parameters", &status);
	}
	content_input_begin(s);
	s->input.is_last = true;
	session_enter(s, STATE_DATA);
	return session_reply(s, &status);
}

enum session_step
smtpd_data_read(struct session *s, struct str in, size_t *used_out)
{
	struct buf *to = content_part_bytes(&s->content);
	size_t before = to->n;
	bool is_complete = dot_take(&s->input.dot, content_input_next(s, in), to, used_out);
	enum session_step step = content_input_continue(s, before);

	if (step == SESSION_NEXT && is_complete)
		step = content_input_end(s);
	return step == SESSION_NEXT && is_complete ? stages_begin(s) : step;
}
