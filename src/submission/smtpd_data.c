/*
 * smtpd_data: only dot_take knows where the data ends; DATA counts as one chunk, the last one.
 */
#include "submission/smtpd_data.h"

#include "submission/content.h"

enum session_step
smtpd_data_command(struct session *s, struct str args)
{
	struct smtp_status status = smtp_status_make(354, NULL, "End data with <CR><LF>.<CR><LF>");

	if (args.n > 0) {
		status = smtp_status_make(501, "5.5.4", "No parameters allowed");
		return session_refuse(s, "command", "parameters", &status);
	}
	content_begin(s, content_end);
	s->content.is_last = true;
	session_enter(s, STATE_DATA);
	return session_reply(s, &status);
}

enum session_step
smtpd_data_read(struct session *s, struct str in, size_t *used_out)
{
	struct content *c = &s->content;
	size_t before = c->bytes.n;

	c->is_chunk_complete =
	    dot_take(&c->dot, str_upto(in, content_room(s)), &c->bytes, used_out);
	return content_continue(s, before);
}
