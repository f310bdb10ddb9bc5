/*
 * content_commit: parses, checks and repairs the header, encodes the envelope, and asks the queue
 * to commit. 250 is sent only after the queue has answered that the message is durable.
 */
#include "submission/content_commit.h"

#include "base/metrics.h"
#include "mail/header.h"
#include "mail/rewrite.h"
#include "policy/sender_rules.h"
#include "submission/smtpd_transaction.h"

enum { HEADER_OUT_MAX = HEADER_BYTES_MAX + 8192 };

/* A message after its content is complete and before its commit. */
struct content_draft {
	struct session *s;
	struct header header;
	struct str from;  /* first From address */
	struct buf out;   /* header after repair */
	char id[ID_NUMBER_TEXT_BYTES];
};

static struct msgid
session_message_id(const struct session *s)
{
	return (struct msgid){s->id, s->number};
}

static enum session_step
refuse_content(
    struct session *s, const char *reason, const struct smtp_status *status, struct str from)
{
	struct smtp_status copy = *status;
	struct session_detail detail = {
	    .key = from.n > 0 ? "header_from" : NULL, .value = from};
	enum session_step step = session_refuse_with_detail(s, "data", reason, &copy, detail);

	smtpd_transaction_drop(s);
	return step;
}

/* ---- repair ---- */

static bool
may_have_author(const struct mail_address *address, void *arg)
{
	const struct session *s = arg;

	return sender_rules_may_send(s->conf, buf_str(&s->user), address);
}

static struct rewrite
rewrite_of_draft(const struct content_draft *d)
{
	struct session *s = d->s;
	const struct conf *conf = s->conf;
	const struct smtpd_transaction *t = &s->transaction;
	const struct envelope_recipient *first =
	    (const struct envelope_recipient *)(const void *)t->recipients.p;
	bool is_shown = conf->submission.client_address == CLIENT_ADDRESS_SHOW;

	return (struct rewrite){
	    .hostname = conf->hostname,
	    .domain = conf->domains.count > 0 ? conf->domains.item[0].name : conf->hostname,
	    .user = buf_str(&s->user),
	    .sender = t->sender,
	    .id = str_of(d->id),
	    .helo = buf_str(&s->helo),
	    .client = is_shown ? str_of(s->client) : STR_NULL,
	    .protocol = t->smtputf8 ? STR("UTF8SMTPSA") : STR("ESMTPSA"),
	    .tls = str_of(s->tls),
	    .for_recipient = t->recipients.n == sizeof *first ? first->address : STR_NULL,
	    .now_ms = s->services->now_ms(s->arg),
	    .smtputf8 = t->smtputf8,
	    .passes_duplicates = conf->submission.doubled_fields == DOUBLED_FIELDS_PASS,
	    .may = may_have_author,
	    .may_arg = s,
	};
}

static const char *
header_refusal_reason(const struct smtp_status *status)
{
	if (status->code == 550)
		return "header_from_not_allowed";
	if (status->code == 552)
		return "header_too_large";
	if (status->subject == 4 && status->detail == 6)
		return "loop";
	return status->detail == 7 ? "smtputf8" : "malformed_header";
}

/* code 250, or the refusal. */
static struct smtp_status
repair_draft(struct content_draft *d)
{
	struct arena *arena = &d->s->transaction.arena;
	struct smtp_status status = header_parse(buf_str(&d->s->content.header), arena, &d->header);
	struct rewrite r;

	if (status.code != 250)
		return status;
	r = rewrite_of_draft(d);
	return rewrite_submission(&d->header, &r, arena, &d->out, &d->from);
}

/* ---- the commit ---- */

static bool
draft_needs_smtputf8(const struct content_draft *d)
{
	const struct smtpd_transaction *t = &d->s->transaction;
	const struct envelope_recipient *r =
	    (const struct envelope_recipient *)(const void *)t->recipients.p;

	if (!t->smtputf8)
		return false;
	for (size_t i = 0; i < t->recipients.n / sizeof *r; i++)
		if (!str_is_ascii(r[i].address))
			return true;
	return !str_is_ascii(t->sender) || !str_is_ascii(buf_str(&d->out));
}

static struct envelope
envelope_of_draft(const struct content_draft *d)
{
	struct session *s = d->s;
	struct smtpd_transaction *t = &s->transaction;

	return (struct envelope){
	    .id = session_message_id(s),
	    .kind = ENVELOPE_MESSAGE,
	    .arrival_ms = s->services->now_ms(s->arg),
	    .user = buf_str(&s->user),
	    .sender = t->sender,
	    .header_from = d->from,
	    .client = str_of(s->client),
	    /* what the content is, not what was announced: the next hop may support neither
	     * extension */
	    .body = content_is_8bit(&s->content) ? BODY_8BITMIME : BODY_7BIT,
	    .smtputf8 = draft_needs_smtputf8(d),
	    .ret = t->ret,
	    .envid = t->envid,
	    .header_bytes = (uint32_t)d->out.n,
	    .body_bytes = content_body_bytes(&s->content),
	    .facts = body_facts_bits(&s->content.body.facts),
	    .recipients = (struct envelope_recipient *)(void *)t->recipients.p,
	    .recipient_count = (uint32_t)(t->recipients.n / sizeof(struct envelope_recipient)),
	};
}

static enum session_step
on_commit_answer(struct session *s, const struct smtp_status *answer)
{
	char id[ID_NUMBER_TEXT_BYTES];
	struct smtp_status status;

	if (!smtp_status_is_ok(answer)) {
		s->transaction.is_committed = false;
		s->transaction.has_file = s->content.body.in_file;
		return refuse_content(s, "storage", answer, STR_NULL);
	}
	status = smtp_status_make(
	    250, "2.0.0", "Queued as %s", msgid_text(session_message_id(s), 0, id));
	s->counts.messages++;
	s->bad_commands = 0;
	s->idle_commands = 0;
	smtpd_transaction_drop(s);
	return session_reply(s, &status);
}

static enum session_step
ask_queue_to_commit(struct content_draft *d)
{
	struct session *s = d->s;
	struct envelope e = envelope_of_draft(d);
	struct message_commit m = {.header = buf_str(&d->out), .in_file = s->content.body.in_file};
	struct buf envelope;
	bool is_asked = false, is_encoded;
	struct smtp_status why;

	buf_init(&envelope, ENVELOPE_BYTES_MAX);
	is_encoded = envelope_encode(&e, &envelope);
	if (is_encoded) {
		m.envelope = buf_str(&envelope);
		m.body = buf_str(&s->content.body.bytes);
		is_asked = s->services->commit(s->arg, &m);
	}
	buf_clear(&envelope);
	if (!is_encoded) {
		why = smtp_status_make(452, "4.5.3", "Too many recipients");
		return refuse_content(s, "too_many_recipients", &why, d->from);
	}
	if (!is_asked) {
		why = session_queue_lost();
		return refuse_content(s, "queue_away", &why, d->from);
	}
	content_clear(&s->content);
	/* the queue has the message: a client that disconnects now withdraws nothing */
	s->transaction.is_committed = true;
	s->transaction.has_file = false;
	s->on_answer = on_commit_answer;
	session_enter(s, STATE_COMMIT);
	return SESSION_WAIT;
}

/* ---- the end of the content ---- */

enum session_step
content_commit_begin(struct session *s)
{
	struct content_draft d = {.s = s};
	enum session_step step;
	struct smtp_status status;

	if (s->input.fault)
		return refuse_content(s, s->input.fault_reason, s->input.fault, STR_NULL);
	msgid_text(session_message_id(s), 0, d.id);
	buf_init(&d.out, HEADER_OUT_MAX);
	metrics_work_id("repair", session_message_id(s));
	status = repair_draft(&d);
	step = status.code == 250
	           ? ask_queue_to_commit(&d)
	           : refuse_content(s, header_refusal_reason(&status), &status, d.from);
	buf_clear(&d.out);
	return step;
}
