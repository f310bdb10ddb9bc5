/*
 * smtpd_transaction: a sender that belongs to the login, and recipients, for each of which a token
 * of the login's limit was taken.  Whatever ends the transaction before its commit returns them.
 */
#include "submission/smtpd_transaction.h"

#include "mail/smtp_command.h"
#include "policy/sender_rules.h"
#include "submission/content.h"

enum {
	TRANSACTION_MAX = 8 << 20,
	ENVELOPE_FIXED = 4096, /* all fields but the recipients, generously */
	ENVELOPE_PER_RECIPIENT = 32,
	ASKED_MAX = 2 * COMMAND_LINE_MAX,
};

void
transaction_init(struct session *s)
{
	arena_init(&s->transaction.arena, TRANSACTION_MAX);
	buf_init(&s->transaction.recipients, ENVELOPE_RECIPIENTS_MAX * sizeof(struct recipient));
	buf_init(&s->transaction.asked, ASKED_MAX);
	content_clear(s);
}

void
transaction_release(struct session *s)
{
	struct message_release m = {s->id, s->number};

	if (s->transaction.has_file)
		s->services->release(s->arg, &m);
	s->transaction.has_file = false;
}

void
transaction_forget(struct session *s)
{
	struct transaction *t = &s->transaction;

	if (t->is_committed)
		s->services->spend_tokens(s->arg, buf_str(&s->user), t->tokens);
	else if (t->tokens || t->is_token_asked)
		s->services->return_tokens(s->arg, buf_str(&s->user), t->tokens);
	transaction_release(s);
	arena_clear(&t->arena);
	buf_clear(&t->recipients);
	buf_clear(&t->asked);
	*t =
	    (struct transaction){.arena = t->arena, .recipients = t->recipients, .asked = t->asked};
	content_clear(s);
}

void
transaction_drop(struct session *s)
{
	transaction_forget(s);
	session_enter(s, session_rest(s));
}

enum session_step
transaction_rset(struct session *s, struct str args)
{
	struct status status = status_make(250, "2.0.0", "Ok");

	if (args.n > 0) {
		status = status_make(501, "5.5.4", "No parameters allowed");
		return session_refuse(s, "command", "parameters", &status);
	}
	transaction_drop(s);
	return session_say(s, &status);
}

/* ---- MAIL ---- */

static enum session_step
refuse_sender(struct session *s, const struct command_mail *mail)
{
	struct session_words words = {.what = "from", .words = mail->sender.text};
	struct status status;

	if (mail->sender.is_utf8 && !mail->smtputf8) {
		status = status_make(553, "5.6.7", "Address needs SMTPUTF8");
		return session_refuse_words(s, "mail", "smtputf8", &status, words);
	}
	if (!rules_may_login_send(s->conf, buf_str(&s->user))) {
		status = status_make(550, "5.7.1",
		    "The domain of your login %.*s is not configured here: no mail can be sent "
		    "with it", STR_ARG(buf_str(&s->user)));
		return session_refuse_words(s, "mail", "login_domain", &status, words);
	}
	status = status_make(550, "5.7.1", "%.*s may not send as %.*s", STR_ARG(buf_str(&s->user)),
	    STR_ARG(mail->sender.text));
	return session_refuse_words(s, "mail", "sender_not_allowed", &status, words);
}

static void
begin(struct session *s, const struct command_mail *mail)
{
	struct transaction *t = &s->transaction;

	transaction_forget(s);
	s->number++;
	t->sender = arena_str(&t->arena, mail->sender.text);
	t->envid = arena_str(&t->arena, mail->envid);
	t->ret = mail->ret;
	t->smtputf8 = mail->smtputf8;
	t->said_bytes = mail->has_size ? mail->size : 0;
	t->envelope_bytes = ENVELOPE_FIXED + t->sender.n + t->envid.n;
	session_enter(s, STATE_SENDER);
}

/* As far as is known before its content. */
static bool
can_be_stored(struct session *s, const struct command_mail *mail, struct status *why_out,
    struct session_words *words_out)
{
	uint64_t room = s->services->room(s->arg), size = mail->has_size ? mail->size : 0;

	*words_out = (struct session_words){.what = "from", .words = mail->sender.text};
	if (s->services->is_failing(s->arg)) {
		*why_out = status_make(451, "4.3.0", "Mail cannot be stored now, try again later");
	} else if (room == 0) {
		words_out->size = size;
		*why_out = status_no_room(0);
	} else if (size > room) {
		words_out->size = size;
		words_out->room = room;
		*why_out = status_no_room(size);
	} else if (size > MESSAGE_CONTENT_MAX && !s->services->may_open_file(s->arg)) {
		*why_out = content_no_file();
	} else {
		return true;
	}
	return false;
}

/* The null sender (RFC 5321 section 4.5.5) is nobody's: From says who wrote the message. */
static bool
may_send_as(const struct session *s, const struct address *sender)
{
	if (sender->text.n == 0)
		return rules_may_login_send(s->conf, buf_str(&s->user));
	return rules_may_send(s->conf, buf_str(&s->user), sender);
}

static bool
is_session_used_up(const struct session *s)
{
	int64_t max = s->conf->limits.messages_per_session;

	return (max > 0 && (int64_t)s->counts.messages >= max) || s->number >= ENVELOPE_NUMBER_MAX;
}

enum session_step
transaction_mail(struct session *s, struct str args)
{
	struct session_words words;
	struct command_mail mail;
	struct status status = command_parse_mail(args, &mail);

	if (status.code != 250)
		return session_refuse(s, "mail", "syntax", &status);
	if ((mail.sender.is_utf8 && !mail.smtputf8) || !may_send_as(s, &mail.sender))
		return refuse_sender(s, &mail);
	if (mail.has_size && mail.size > s->conf->limits.message_size) {
		status = status_make(552, "5.3.4", "Message is larger than %llu bytes",
		    (unsigned long long)s->conf->limits.message_size);
		return session_refuse(s, "mail", "too_large", &status);
	}
	if (!can_be_stored(s, &mail, &status, &words))
		return session_refuse_words(s, "mail", "storage", &status, words);
	if (is_session_used_up(s)) {
		status =
		    status_make(421, "4.7.0", "Too many messages in one session, connect again");
		return session_leave(s, "messages_per_session", &status);
	}
	begin(s, &mail);
	status = status_make(250, "2.1.0", "Ok");
	return session_say(s, &status);
}

/* ---- RCPT ---- */

static enum session_step
refuse_recipient(
    struct session *s, const char *reason, const struct status *status, struct str address)
{
	return session_refuse_words(
	    s, "rcpt", reason, status, (struct session_words){.what = "to", .words = address});
}

/* Kept aside until the queue agrees: refused recipients, however many, cost no memory.
 * <postmaster> has no domain (RFC 5321 section 4.5.1): it is the one of the configuration. */
static void
keep_asked(struct session *s, const struct command_rcpt *rcpt)
{
	struct transaction *t = &s->transaction;
	bool is_ours = rcpt->recipient.domain.n == 0;

	buf_reset(&t->asked);
	buf_adds(&t->asked, is_ours ? s->conf->postmaster : rcpt->recipient.text);
	t->asked_address_bytes = t->asked.n;
	buf_adds(&t->asked, rcpt->orcpt);
	t->asked_notify = rcpt->notify;
}

static struct str
asked_address(const struct transaction *t)
{
	return str_upto(buf_str(&t->asked), t->asked_address_bytes);
}

static bool
has_room(const struct session *s, const struct command_rcpt *rcpt)
{
	const struct transaction *t = &s->transaction;
	size_t count = t->recipients.n / sizeof(struct recipient);
	size_t more =
	    rcpt->recipient.text.n + rcpt->orcpt.n + ADDRESS_DOMAIN_MAX + ENVELOPE_PER_RECIPIENT;

	return (int64_t)count < s->conf->limits.recipients_per_message &&
	       count < ENVELOPE_RECIPIENTS_MAX && t->envelope_bytes + more <= ENVELOPE_BYTES_MAX;
}

static enum session_step
accept_recipient(struct session *s)
{
	struct transaction *t = &s->transaction;
	struct status status = status_make(250, "2.1.5", "Ok");
	struct recipient r = {0};

	r.address = arena_str(&t->arena, asked_address(t));
	r.orcpt = arena_str(&t->arena, str_from(buf_str(&t->asked), t->asked_address_bytes));
	r.notify = t->asked_notify;
	buf_add(&t->recipients, &r, sizeof r);
	t->envelope_bytes += t->asked.n + ENVELOPE_PER_RECIPIENT;
	t->tokens++;
	s->counts.recipients++;
	session_enter(s, STATE_READY);
	return session_say(s, &status);
}

static verdict_fn got_token;

static enum session_step
ask(struct session *s)
{
	struct transaction *t = &s->transaction;
	struct status lost;

	if (s->services->take_token(s->arg, buf_str(&s->user)))
		return accept_recipient(s);
	if (!s->services->ask_token(s->arg, buf_str(&s->user))) {
		lost = session_queue_lost();
		return refuse_recipient(s, "queue_away", &lost, asked_address(t));
	}
	t->is_token_asked = true;
	s->heard = got_token;
	return SESSION_WAIT;
}

enum session_step
transaction_rcpt(struct session *s, struct str args)
{
	struct command_rcpt rcpt;
	struct status status = command_parse_rcpt(args, &rcpt);
	struct transaction *t = &s->transaction;

	if (status.code != 250)
		return session_refuse(s, "rcpt", "syntax", &status);
	if (rcpt.recipient.is_utf8 && !t->smtputf8) {
		status = status_make(553, "5.6.7", "Address needs SMTPUTF8");
		return refuse_recipient(s, "smtputf8", &status, rcpt.recipient.text);
	}
	if (!has_room(s, &rcpt)) {
		status = status_make(452, "4.5.3", "Too many recipients");
		return refuse_recipient(s, "too_many_recipients", &status, rcpt.recipient.text);
	}
	keep_asked(s, &rcpt);
	return ask(s);
}

/* The queue's own words for why there is no room for a recipient, or nobody to ask. */
static const char *
transaction_refusal_reason(const struct status *verdict)
{
	if (verdict->subject != 3)
		return "limit";
	return verdict->detail == 1 ? "storage" : "queue_away";
}

static enum session_step
got_token(struct session *s, const struct status *verdict)
{
	struct transaction *t = &s->transaction;

	t->is_token_asked = false;
	if (status_is_ok(verdict))
		return accept_recipient(s);
	return refuse_recipient(
	    s, transaction_refusal_reason(verdict), verdict, asked_address(t));
}
