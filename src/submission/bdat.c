/*
 * bdat: the octets of an announced chunk are always data: they never become commands
 * (CVE-2017-16943 and similar attacks), and a discarded chunk uses no memory.
 */
#include "submission/bdat.h"

#include "mail/smtp_command.h"
#include "submission/content_input.h"
#include "submission/smtpd_transaction.h"
#include "submission/stages.h"

static enum session_step
refuse_malformed_bdat(struct session *s, const struct smtp_status *status)
{
	/* it is unknown which octets belong to the chunk: the message can never be complete */
	if (s->input.is_chunked)
		smtpd_transaction_drop(s);
	return session_refuse(s, "data", "bdat", status);
}

static enum session_step
end_bdat_chunk(struct session *s)
{
	struct content_input *c = &s->input;
	unsigned long long total = c->total_bytes;
	struct smtp_status status;
	enum session_step step;

	if (!c->fault && c->is_last && crlf_check_end(&c->check))
		content_input_fail_bare(s);
	if (c->fault || c->is_last) {
		step = content_input_end(s);
		return step == SESSION_NEXT ? stages_begin(s) : step;
	}
	/* a message may have as many chunks as it needs */
	if (c->has_octets)
		s->idle_commands = 0;
	c->has_octets = false;
	session_enter(s, STATE_BDAT_NEXT);
	status = smtp_status_make(250, "2.0.0", "%llu octets so far", total);
	return session_reply(s, &status);
}

enum session_step
bdat_read(struct session *s, struct str in, size_t *used_out)
{
	struct content_input *c = &s->input;
	struct buf *to = content_part_bytes(&s->content);
	size_t before = to->n;
	struct str octets = str_upto(content_input_next(s, in),
	    c->chunk_left < SIZE_MAX ? (size_t)c->chunk_left : SIZE_MAX);
	enum session_step step;

	if (!c->fault) {
		crlf_check_add(&c->check, octets);
		buf_adds(to, octets);
	}
	*used_out = octets.n;
	c->has_octets |= octets.n > 0;
	c->chunk_left -= octets.n;
	step = content_input_continue(s, before);
	return step == SESSION_NEXT && c->chunk_left == 0 ? end_bdat_chunk(s) : step;
}

enum session_step
bdat_command(struct session *s, struct str args)
{
	struct content_input *c = &s->input;
	struct smtp_command_bdat bdat;
	struct smtp_status status = smtp_command_parse_bdat(args, &bdat);

	if (status.code != 250)
		return refuse_malformed_bdat(s, &status);
	if (!c->is_chunked)
		content_input_begin(s);
	c->is_chunked = true;
	c->chunk_left = bdat.size;
	c->is_last = bdat.is_last;
	session_enter(s, STATE_BDAT);
	return bdat.size == 0 ? end_bdat_chunk(s) : SESSION_NEXT;
}

/* ---- chunks without a transaction ---- */

static enum session_step
bdat_discard_end(struct session *s)
{
	session_enter(s, s->state_before);
	return session_out_of_order(s, "BDAT");
}

enum session_step
bdat_discard_command(struct session *s, struct str args)
{
	struct smtp_command_bdat bdat;
	struct smtp_status status = smtp_command_parse_bdat(args, &bdat);

	if (status.code != 250)
		return session_refuse(s, "data", "bdat", &status);
	s->state_before = s->state;
	s->input.chunk_left = bdat.size;
	s->message_deadline_ms =
	    s->services->mono_ms(s->arg) + s->conf->submission.message_timeout_ms;
	session_enter(s, STATE_BDAT_DISCARD);
	return bdat.size == 0 ? bdat_discard_end(s) : SESSION_NEXT;
}

enum session_step
bdat_read_discarded(struct session *s, struct str in, size_t *used_out)
{
	uint64_t left = s->input.chunk_left;

	*used_out = in.n < left ? in.n : (size_t)left;
	s->input.chunk_left = left - *used_out;
	return s->input.chunk_left > 0 ? SESSION_NEXT : bdat_discard_end(s);
}
