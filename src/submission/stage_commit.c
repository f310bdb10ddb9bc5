/*
 * stage_commit: sends the message as it stands. The envelope says what the content is, not what was
 * announced: the next hop may support neither extension.
 */
#include "submission/stage_commit.h"

#include "submission/smtpd_transaction.h"

static bool
needs_smtputf8(const struct stage_message *m)
{
	const struct envelope *e = &m->envelope;

	for (uint32_t i = 0; i < e->recipient_count; i++)
		if (!str_is_ascii(e->recipients[i].address))
			return true;
	return !str_is_ascii(e->sender) || !str_is_ascii(buf_str(&m->content->header));
}

static void
complete_envelope(struct stage_message *m)
{
	struct envelope *e = &m->envelope;
	const struct content *c = m->content;

	e->smtputf8 = e->smtputf8 && needs_smtputf8(m);
	e->body = content_is_8bit(c) ? BODY_8BITMIME : BODY_7BIT;
	e->header_bytes = (uint32_t)c->header.n;
	e->body_bytes = content_body_bytes(c);
	e->facts = body_facts_bits(&c->body.facts);
}

static enum stage_step
ask_queue_to_commit(struct stage_message *m, struct str envelope)
{
	const struct content *c = m->content;
	struct message_commit commit = {
	    .envelope = envelope,
	    .header = buf_str(&c->header),
	    .in_file = c->body.in_file,
	    .body = buf_str(&c->body.bytes),
	};
	struct smtp_status lost;

	if (!m->services->commit(m->arg, &commit)) {
		lost = session_queue_lost();
		return stage_refuse(m, "queue_away", &lost);
	}
	content_clear(m->content);
	/* the queue has the message: a client that disconnects now withdraws nothing */
	m->transaction->is_committed = true;
	m->transaction->has_file = false;
	return STAGE_WAIT;
}

enum stage_step
stage_commit(struct stage_message *m)
{
	struct smtp_status many;
	enum stage_step step;
	struct buf envelope;

	complete_envelope(m);
	m->refused_from = m->envelope.header_from;
	buf_init(&envelope, ENVELOPE_BYTES_MAX);
	if (envelope_encode(&m->envelope, &envelope)) {
		step = ask_queue_to_commit(m, buf_str(&envelope));
	} else {
		many = smtp_status_make(452, "4.5.3", "Too many recipients");
		step = stage_refuse(m, "too_many_recipients", &many);
	}
	buf_clear(&envelope);
	return step;
}

enum stage_step
stage_committed(struct stage_message *m, const void *answer)
{
	const struct smtp_status *status = answer;

	if (smtp_status_is_ok(status))
		return STAGE_NEXT;
	m->transaction->is_committed = false;
	m->transaction->has_file = m->content->body.in_file;
	m->refused_from = STR_NULL;
	return stage_refuse(m, smtpd_transaction_storage_reason(status), status);
}
