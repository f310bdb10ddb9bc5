/*
 * smtpd_transaction: the sender must be allowed for the login; for each recipient, one token of the
 * login's limit is taken. When the transaction ends before its commit, its tokens are returned.
 */
#include "submission/smtpd_transaction.h"

#include "mail/smtp_command.h"
#include "policy/sender_rules.h"

enum {
	TRANSACTION_MAX = 8 << 20,
	ENVELOPE_FIXED = 4096, /* all fields but the recipients, with a reserve */
	ENVELOPE_PER_RECIPIENT = 32,
	PENDING_MAX = 2 * SMTP_COMMAND_LINE_MAX,
};

void
smtpd_transaction_clear_content(struct session *s)
{
	content_clear(&s->content);
	content_init(&s->content);
	s->input = (struct content_input){.total_bytes = 0};
	dot_init(&s->input.dot);
}

void
smtpd_transaction_init(struct session *s)
{
	arena_init(&s->transaction.arena, TRANSACTION_MAX);
	buf_init(&s->transaction.recipients,
	    ENVELOPE_RECIPIENTS_MAX * sizeof(struct envelope_recipient));
	buf_init(&s->transaction.pending_recipient, PENDING_MAX);
	smtpd_transaction_clear_content(s);
}

struct smtp_status
smtpd_transaction_file_unavailable(void)
{
	return smtp_status_make(
	    451, "4.3.0", "Large messages cannot be stored now, try again later");
}

const char *
smtpd_transaction_storage_reason(const struct smtp_status *status)
{
	return smtp_status_is_no_descriptors(status) ? "descriptors" : "storage";
}

void
smtpd_transaction_release(struct session *s)
{
	struct message_release m = {s->id, s->number};

	if (s->transaction.has_file)
		s->services->release(s->arg, &m);
	s->transaction.has_file = false;
}

void
smtpd_transaction_forget(struct session *s)
{
	struct smtpd_transaction *t = &s->transaction;

	if (t->is_committed)
		s->services->spend_tokens(s->arg, buf_str(&s->user), t->tokens);
	else if (t->tokens || t->is_token_asked)
		s->services->return_tokens(s->arg, buf_str(&s->user), t->tokens);
	smtpd_transaction_release(s);
	arena_clear(&t->arena);
	buf_clear(&t->recipients);
	buf_clear(&t->pending_recipient);
	*t = (struct smtpd_transaction){.arena = t->arena,
	    .recipients = t->recipients,
	    .pending_recipient = t->pending_recipient};
	smtpd_transaction_clear_content(s);
}

void
smtpd_transaction_drop(struct session *s)
{
	smtpd_transaction_forget(s);
	session_enter(s, session_idle_state(s));
}

enum session_step
smtpd_transaction_rset(struct session *s, struct str args)
{
	struct smtp_status status = smtp_status_make(250, "2.0.0", "Ok");

	if (args.n > 0) {
		status = smtp_status_make(501, "5.5.4", "No parameters allowed");
		return session_refuse(s, "command", "parameters", &status);
	}
	smtpd_transaction_drop(s);
	return session_reply(s, &status);
}

/* ---- MAIL ---- */

static enum session_step
refuse_mail(struct session *s, const struct smtp_command_mail *mail)
{
	struct session_detail detail = {.key = "from", .value = mail->sender.text};
	struct smtp_status status;

	if (mail->sender.is_utf8 && !mail->smtputf8) {
		status = smtp_status_make(553, "5.6.7", "Address needs SMTPUTF8");
		return session_refuse_with_detail(s, "mail", "smtputf8", &status, detail);
	}
	if (!sender_rules_may_login_send(s->conf, buf_str(&s->user))) {
		status = smtp_status_make(550, "5.7.1",
		    "The domain of your login %.*s is not configured here: no mail can be sent "
		    "with it", STR_ARG(buf_str(&s->user)));
		return session_refuse_with_detail(s, "mail", "login_domain", &status, detail);
	}
	status = smtp_status_make(550, "5.7.1", "%.*s may not send as %.*s",
	    STR_ARG(buf_str(&s->user)), STR_ARG(mail->sender.text));
	return session_refuse_with_detail(s, "mail", "sender_not_allowed", &status, detail);
}

static void
begin_smtpd_transaction(struct session *s, const struct smtp_command_mail *mail)
{
	struct smtpd_transaction *t = &s->transaction;

	smtpd_transaction_forget(s);
	s->number++;
	t->sender = arena_str(&t->arena, mail->sender.text);
	t->envid = arena_str(&t->arena, mail->envid);
	t->ret = mail->ret;
	t->smtputf8 = mail->smtputf8;
	t->announced_bytes = mail->has_size ? mail->size : 0;
	t->envelope_bytes = ENVELOPE_FIXED + t->sender.n + t->envid.n;
	session_enter(s, STATE_MAIL);
}

/* As far as it is known before the content. */
static bool
message_can_be_stored(struct session *s, const struct smtp_command_mail *mail,
    struct smtp_status *why_out, struct session_detail *detail_out)
{
	uint64_t room = s->services->room(s->arg), size = mail->has_size ? mail->size : 0;

	*detail_out = (struct session_detail){.key = "from", .value = mail->sender.text};
	if (s->services->is_failing(s->arg)) {
		*why_out =
		    smtp_status_make(451, "4.3.0", "Mail cannot be stored now, try again later");
	} else if (room == 0) {
		detail_out->size = size;
		*why_out = smtp_status_no_room(0);
	} else if (size > room) {
		detail_out->size = size;
		detail_out->room = room;
		*why_out = smtp_status_no_room(size);
	} else if (size > MESSAGE_CONTENT_MAX && !s->services->may_open_file(s->arg)) {
		*why_out = smtpd_transaction_file_unavailable();
	} else {
		return true;
	}
	return false;
}

/* The null sender (RFC 5321 section 4.5.5) belongs to no user: the author is checked in From. */
static bool
may_login_send_as(const struct session *s, const struct mail_address *sender)
{
	if (sender->text.n == 0)
		return sender_rules_may_login_send(s->conf, buf_str(&s->user));
	return sender_rules_may_send(s->conf, buf_str(&s->user), sender);
}

static bool
is_message_limit_reached(const struct session *s)
{
	int64_t max = s->conf->limits.messages_per_session;

	return (max > 0 && (int64_t)s->counts.messages >= max) || s->number >= ENVELOPE_NUMBER_MAX;
}

enum session_step
smtpd_transaction_mail(struct session *s, struct str args)
{
	struct session_detail detail;
	struct smtp_command_mail mail;
	struct smtp_status status = smtp_command_parse_mail(args, &mail);

	if (status.code != 250)
		return session_refuse(s, "mail", "syntax", &status);
	if ((mail.sender.is_utf8 && !mail.smtputf8) || !may_login_send_as(s, &mail.sender))
		return refuse_mail(s, &mail);
	if (mail.has_size && mail.size > s->conf->limits.message_size) {
		status = smtp_status_make(552, "5.3.4", "Message is larger than %llu bytes",
		    (unsigned long long)s->conf->limits.message_size);
		return session_refuse(s, "mail", "too_large", &status);
	}
	if (!message_can_be_stored(s, &mail, &status, &detail))
		return session_refuse_with_detail(s, "mail", "storage", &status, detail);
	if (is_message_limit_reached(s)) {
		status = smtp_status_make(
		    421, "4.7.0", "Too many messages in one session, connect again");
		return session_reply_close(s, "messages_per_session", &status);
	}
	begin_smtpd_transaction(s, &mail);
	status = smtp_status_make(250, "2.1.0", "Ok");
	return session_reply(s, &status);
}

/* ---- RCPT ---- */

static enum session_step
refuse_rcpt(
    struct session *s, const char *reason, const struct smtp_status *status, struct str address)
{
	return session_refuse_with_detail(
	    s, "rcpt", reason, status, (struct session_detail){.key = "to", .value = address});
}

/* Stores the recipient apart until its token is taken, so that refused recipients use no memory.
 * <postmaster> has no domain (RFC 5321 section 4.5.1): it means the postmaster of the
 * configuration. */
static void
store_pending_recipient(struct session *s, const struct smtp_command_rcpt *rcpt)
{
	struct smtpd_transaction *t = &s->transaction;
	bool is_postmaster = rcpt->recipient.domain.n == 0;

	buf_reset(&t->pending_recipient);
	buf_adds(&t->pending_recipient, is_postmaster ? s->conf->postmaster : rcpt->recipient.text);
	t->pending_address_bytes = t->pending_recipient.n;
	buf_adds(&t->pending_recipient, rcpt->orcpt);
	t->pending_notify = rcpt->notify;
}

static struct str
pending_recipient_address(const struct smtpd_transaction *t)
{
	return str_upto(buf_str(&t->pending_recipient), t->pending_address_bytes);
}

static bool
has_recipient_room(const struct session *s, const struct smtp_command_rcpt *rcpt)
{
	const struct smtpd_transaction *t = &s->transaction;
	size_t count = t->recipients.n / sizeof(struct envelope_recipient);
	size_t more = rcpt->recipient.text.n + rcpt->orcpt.n + MAIL_ADDRESS_DOMAIN_MAX +
	              ENVELOPE_PER_RECIPIENT;

	return (int64_t)count < s->conf->limits.recipients_per_message &&
	       count < ENVELOPE_RECIPIENTS_MAX && t->envelope_bytes + more <= ENVELOPE_BYTES_MAX;
}

static enum session_step
accept_rcpt(struct session *s)
{
	struct smtpd_transaction *t = &s->transaction;
	struct smtp_status status = smtp_status_make(250, "2.1.5", "Ok");
	struct envelope_recipient r = {0};

	r.address = arena_str(&t->arena, pending_recipient_address(t));
	r.orcpt = arena_str(
	    &t->arena, str_from(buf_str(&t->pending_recipient), t->pending_address_bytes));
	r.notify = t->pending_notify;
	buf_add(&t->recipients, &r, sizeof r);
	t->envelope_bytes += t->pending_recipient.n + ENVELOPE_PER_RECIPIENT;
	t->tokens++;
	s->counts.recipients++;
	session_enter(s, STATE_RCPT);
	return session_reply(s, &status);
}

static session_answer_fn on_recipient_token;

static enum session_step
ask_recipient_token(struct session *s)
{
	struct smtpd_transaction *t = &s->transaction;
	struct smtp_status lost;

	if (s->services->take_token(s->arg, buf_str(&s->user)))
		return accept_rcpt(s);
	if (!s->services->ask_token(s->arg, buf_str(&s->user))) {
		lost = session_queue_lost();
		return refuse_rcpt(s, "queue_away", &lost, pending_recipient_address(t));
	}
	t->is_token_asked = true;
	s->on_answer = on_recipient_token;
	return SESSION_WAIT;
}

enum session_step
smtpd_transaction_rcpt(struct session *s, struct str args)
{
	struct smtp_command_rcpt rcpt;
	struct smtp_status status = smtp_command_parse_rcpt(args, &rcpt);
	struct smtpd_transaction *t = &s->transaction;

	if (status.code != 250)
		return session_refuse(s, "rcpt", "syntax", &status);
	if (rcpt.recipient.is_utf8 && !t->smtputf8) {
		status = smtp_status_make(553, "5.6.7", "Address needs SMTPUTF8");
		return refuse_rcpt(s, "smtputf8", &status, rcpt.recipient.text);
	}
	if (!has_recipient_room(s, &rcpt)) {
		status = smtp_status_make(452, "4.5.3", "Too many recipients");
		return refuse_rcpt(s, "too_many_recipients", &status, rcpt.recipient.text);
	}
	store_pending_recipient(s, &rcpt);
	return ask_recipient_token(s);
}

/* The status shows whether the queue has no room for a recipient, or is not available. */
static const char *
smtpd_transaction_refusal_reason(const struct smtp_status *answer)
{
	if (answer->subject != 3)
		return "limit";
	return answer->detail == 1 ? "storage" : "queue_away";
}

static enum session_step
on_recipient_token(struct session *s, const struct smtp_status *answer)
{
	struct smtpd_transaction *t = &s->transaction;

	t->is_token_asked = false;
	if (smtp_status_is_ok(answer))
		return accept_rcpt(s);
	return refuse_rcpt(
	    s, smtpd_transaction_refusal_reason(answer), answer, pending_recipient_address(t));
}
