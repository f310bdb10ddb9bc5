/*
 * content_commit: header read, checked and repaired, envelope written, queue asked.  250 is said
 * when the queue says so, and never else.
 */
#include "submission/content_commit.h"

#include "base/metrics.h"
#include "mail/header.h"
#include "mail/rewrite.h"
#include "policy/sender_rules.h"
#include "submission/content.h"
#include "submission/smtpd_transaction.h"

enum { HEADER_OUT_MAX = HEADER_BYTES_MAX + 8192 };

/* A message between its content and its commit. */
struct draft {
	struct session *s;
	struct header header;
	struct str block; /* header as it came */
	struct str body;  /* what is in memory of it */
	struct str from;  /* first From address */
	struct buf out;   /* header as it goes */
	char id[ID_NUMBER_TEXT_BYTES];
};

static struct msgid
message_id(const struct session *s)
{
	return (struct msgid){s->id, s->number};
}

static enum session_step
refuse(struct session *s, const char *reason, const struct status *status, struct str from)
{
	struct status copy = *status;
	struct session_words words = {
	    .what = from.n > 0 ? "header_from" : NULL, .words = from};
	enum session_step step = session_refuse_words(s, "data", reason, &copy, words);

	transaction_drop(s);
	return step;
}

/* ---- repair ---- */

static bool
may_send(const struct address *address, void *arg)
{
	const struct session *s = arg;

	return rules_may_send(s->conf, buf_str(&s->user), address);
}

static struct rewrite
rewrite_of(const struct draft *d)
{
	struct session *s = d->s;
	const struct conf *conf = s->conf;
	const struct transaction *t = &s->transaction;
	const struct recipient *first = (const struct recipient *)(const void *)t->recipients.p;
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
	    .passes_doubled = conf->submission.doubled_fields == DOUBLED_FIELDS_PASS,
	    .may = may_send,
	    .may_arg = s,
	};
}

static const char *
reason_of(const struct status *status)
{
	if (status->code == 550)
		return "header_from_not_allowed";
	if (status->code == 552)
		return "header_too_large";
	if (status->subject == 4 && status->detail == 6)
		return "loop";
	return status->detail == 7 ? "smtputf8" : "malformed_header";
}

/* code 250, or why not. */
static struct status
repair(struct draft *d)
{
	struct arena *arena = &d->s->transaction.arena;
	struct status status = header_parse(d->block, arena, &d->header);
	struct rewrite r;

	if (status.code != 250)
		return status;
	r = rewrite_of(d);
	return rewrite_submission(&d->header, &r, arena, &d->out, &d->from);
}

/* ---- asking ---- */

static bool
needs_smtputf8(const struct draft *d)
{
	const struct transaction *t = &d->s->transaction;
	const struct recipient *r = (const struct recipient *)(const void *)t->recipients.p;

	if (!t->smtputf8)
		return false;
	for (size_t i = 0; i < t->recipients.n / sizeof *r; i++)
		if (!str_is_ascii(r[i].address))
			return true;
	return !str_is_ascii(t->sender) || !str_is_ascii(buf_str(&d->out));
}

static struct envelope
envelope_of(const struct draft *d)
{
	struct session *s = d->s;
	struct transaction *t = &s->transaction;

	return (struct envelope){
	    .id = message_id(s),
	    .kind = ENVELOPE_MESSAGE,
	    .arrival_ms = s->services->now_ms(s->arg),
	    .user = buf_str(&s->user),
	    .sender = t->sender,
	    .header_from = d->from,
	    .client = str_of(s->client),
	    /* what the content is counts, not what was announced: the next hop may offer neither */
	    .body = s->content.has_8bit_body ? BODY_8BITMIME : BODY_7BIT,
	    .smtputf8 = needs_smtputf8(d),
	    .ret = t->ret,
	    .envid = t->envid,
	    .header_bytes = (uint32_t)d->out.n,
	    .body_bytes = s->content.file_bytes + (s->content.in_file ? 0 : d->body.n),
	    .facts = facts_bits(&s->content.facts),
	    .recipients = (struct recipient *)(void *)t->recipients.p,
	    .recipient_count = (uint32_t)(t->recipients.n / sizeof(struct recipient)),
	};
}

static enum session_step
committed(struct session *s, const struct status *verdict)
{
	char id[ID_NUMBER_TEXT_BYTES];
	struct status status;

	if (!status_is_ok(verdict)) {
		s->transaction.is_committed = false;
		s->transaction.has_file = s->content.in_file;
		return refuse(s, "storage", verdict, STR_NULL);
	}
	status = status_make(250, "2.0.0", "Queued as %s", msgid_text(message_id(s), 0, id));
	s->counts.messages++;
	s->bad_commands = 0;
	s->idle_commands = 0;
	transaction_drop(s);
	return session_say(s, &status);
}

static enum session_step
ask(struct draft *d)
{
	struct session *s = d->s;
	struct envelope e = envelope_of(d);
	struct message_commit m = {.header = buf_str(&d->out), .in_file = s->content.in_file};
	struct buf envelope;
	bool is_asked = false, is_encoded;
	struct status why;

	buf_init(&envelope, ENVELOPE_BYTES_MAX);
	is_encoded = envelope_encode(&e, &envelope);
	if (is_encoded) {
		m.envelope = buf_str(&envelope);
		m.body = m.in_file ? STR_NULL : d->body;
		is_asked = s->services->commit(s->arg, &m);
	}
	buf_clear(&envelope);
	if (!is_encoded) {
		why = status_make(452, "4.5.3", "Too many recipients");
		return refuse(s, "too_many_recipients", &why, d->from);
	}
	if (!is_asked) {
		why = session_queue_lost();
		return refuse(s, "queue_away", &why, d->from);
	}
	buf_clear(&s->content.bytes);
	/* the queue has it: who hangs up now takes nothing back */
	s->transaction.is_committed = true;
	s->transaction.has_file = false;
	s->heard = committed;
	session_enter(s, STATE_STORING);
	return SESSION_WAIT;
}

/* ---- the end of the content ---- */

/* Without an empty line everything is header (RFC 5322 section 2.1: the body is optional). */
static void
divide(struct session *s, struct draft *d)
{
	const struct content *c = &s->content;
	struct str all = buf_str(&c->bytes);

	if (c->in_file) {
		d->block = c->header;
		return;
	}
	d->block = c->body_at > 0 ? str_upto(all, c->body_at - 2) : all;
	d->body = c->body_at > 0 ? str_from(all, c->body_at) : STR_NULL;
}

static void
finish_check(struct session *s)
{
	struct content *c = &s->content;

	if (c->is_chunked && !c->fault && dot_check_end(&c->check))
		content_fail_bare(s);
}

enum session_step
commit_begin(struct session *s)
{
	struct draft d = {.s = s};
	enum session_step step;
	struct status status;

	finish_check(s);
	if (s->content.fault)
		return refuse(s, s->content.fault_reason, s->content.fault, STR_NULL);
	if (!content_flush(s))
		return content_wait(s);
	divide(s, &d);
	msgid_text(message_id(s), 0, d.id);
	buf_init(&d.out, HEADER_OUT_MAX);
	metrics_work_id("repair", message_id(s));
	status = repair(&d);
	step = status.code == 250 ? ask(&d) : refuse(s, reason_of(&status), &status, d.from);
	buf_clear(&d.out);
	return step;
}
