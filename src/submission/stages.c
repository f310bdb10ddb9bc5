/*
 * stages: the table is the life of a message in submission; all of it in one transaction.
 */
#include "submission/stages.h"

#include "submission/smtpd_transaction.h"
#include "submission/stage_commit.h"
#include "submission/stage_header.h"

/*
 * A filter belongs between repair and rewrite: it sees a complete message, without our trace, and
 * the form of what it changes is checked; it may set any author. A signature belongs between
 * rewrite and commit: what is signed is what is sent, so nothing behind it may change an octet.
 */
/* clang-format off */
const struct stage stages_of_submission[] = {
    /* name     does                  hears the answer  withdraws  waits at most */
    {"parse",   stage_header_parse,   NULL,             NULL,      0},
    {"policy",  stage_header_policy,  NULL,             NULL,      0},
    {"repair",  stage_header_repair,  NULL,             NULL,      0},
    {"rewrite", stage_header_rewrite, NULL,             NULL,      0},
    {"commit",  stage_commit,         stage_committed,  NULL,      STAGE_COMMIT_MS},
    {NULL,      NULL,                 NULL,             NULL,      0},
};
/* clang-format on */

/* ---- the end of a message ---- */

static enum session_step
refuse_message(
    struct session *s, const char *reason, const struct smtp_status *status, struct str from)
{
	struct session_detail detail = {.key = from.n > 0 ? "header_from" : NULL, .value = from};
	enum session_step step = session_refuse_with_detail(s, "data", reason, status, detail);

	smtpd_transaction_drop(s);
	return step;
}

static enum session_step
confirm_message(struct session *s)
{
	char id[ID_NUMBER_TEXT_BYTES];
	struct smtp_status status = smtp_status_make(
	    250, "2.0.0", "Queued as %s", msgid_text((struct msgid){s->id, s->number}, 0, id));

	s->counts.messages++;
	s->bad_commands = 0;
	s->idle_commands = 0;
	smtpd_transaction_drop(s);
	return session_reply(s, &status);
}

/* ---- the stages ---- */

static enum session_step
after_stages(struct session *s, enum stage_step step)
{
	const struct stage_message *m = s->transaction.stages.message;

	switch (step) {
	case STAGE_WAIT:
		session_enter(s, STATE_STAGES);
		return SESSION_WAIT;
	case STAGE_REFUSE:
		return refuse_message(s, m->reason, &m->status, m->refused_from);
	case STAGE_NEXT:
		break;
	}
	return confirm_message(s);
}

static struct envelope
envelope_of_transaction(struct session *s)
{
	const struct smtpd_transaction *t = &s->transaction;

	return (struct envelope){
	    .id = {s->id, s->number},
	    .kind = ENVELOPE_MESSAGE,
	    .arrival_ms = s->services->now_ms(s->arg),
	    .user = buf_str(&s->user),
	    .sender = t->sender,
	    .client = str_of(s->client),
	    .smtputf8 = t->smtputf8,
	    .ret = t->ret,
	    .envid = t->envid,
	    .recipients = (struct envelope_recipient *)(void *)t->recipients.p,
	    .recipient_count = (uint32_t)(t->recipients.n / sizeof(struct envelope_recipient)),
	};
}

enum session_step
stages_begin(struct session *s)
{
	struct stage_message *m;

	if (s->input.fault)
		return refuse_message(s, s->input.fault_reason, s->input.fault, STR_NULL);
	m = ARENA_NEW(&s->transaction.arena, struct stage_message);
	m->services = s->services;
	m->arg = s->arg;
	m->conf = s->conf;
	m->transaction = &s->transaction;
	m->content = &s->content;
	m->envelope = envelope_of_transaction(s);
	m->helo = buf_str(&s->helo);
	m->tls = str_of(s->tls);
	msgid_text(m->envelope.id, 0, m->id);
	return after_stages(s, stage_run_begin(&s->transaction.stages, s->stages, m));
}

enum session_step
stages_answered(struct session *s, const void *answer)
{
	struct stage_run *r = &s->transaction.stages;

	if (!stage_run_is_waiting(r))
		return SESSION_WAIT;
	return after_stages(s, stage_run_answer(r, answer));
}

void
stages_cancel(struct session *s)
{
	stage_run_cancel(&s->transaction.stages);
}
