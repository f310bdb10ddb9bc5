/*
 * smtp_command: strict grammars; one table row for each parameter of MAIL and RCPT. Accepted
 * because common clients send it: any number of blanks (space, tab) after the verb, "FROM:", "TO:"
 * and the mechanism of AUTH, and at the end of a line, and spaces between parameters; in EHLO, host
 * names with underscores or UTF-8 and literals of any form (zone ids, no "IPv6:"). Nothing else is
 * guessed.
 */
#include "mail/smtp_command.h"

#include "base/encode.h"
#include "mail/header.h"

enum {
	ENVID_MAX = 100, ORCPT_MAX = 500, MECHANISM_MAX = 20, HELO_MAX = 255,
	PARAMETER_SHOWN_MAX = 40, /* of an unknown one, in the reply */
};

static struct smtp_status
smtp_command_ok(void)
{
	return smtp_status_make(250, "2.0.0", "Ok");
}

static struct smtp_status
smtp_command_malformed(const char *what)
{
	return smtp_status_make(501, "5.5.4", "Syntax error in %s", what);
}

/* ---- line ---- */

bool
smtp_command_has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\t' || header_control_bytes(str_from(s, i)))
			return true;
	return false;
}

/* Takes the word before the first blank off *rest, with the blanks after it. */
static struct str
smtp_command_take_word(struct str *rest)
{
	struct str all = *rest;
	size_t n = 0;

	while (n < all.n && all.p[n] != ' ' && all.p[n] != '\t')
		n++;
	*rest = str_trim(str_from(all, n));
	return str_upto(all, n);
}

bool
smtp_command_split(struct str line, struct str *verb_out, struct str *args_out)
{
	*args_out = line;
	*verb_out = smtp_command_take_word(args_out);
	for (size_t i = 0; i < verb_out->n; i++)
		if (!char_is_alpha(verb_out->p[i]))
			return false;
	for (size_t i = 0; i < args_out->n; i++)
		if (header_control_bytes(str_from(*args_out, i)))
			return false;
	return verb_out->n > 0;
}

bool
smtp_command_is_helo(struct str args)
{
	if (args.n == 0 || args.n > HELO_MAX || smtp_command_has_control(args) ||
	    !str_is_utf8(args))
		return false;
	if (args.p[0] == '[' && args.p[args.n - 1] == ']' && args.n > 2)
		args = str_make(args.p + 1, args.n - 2);
	for (size_t i = 0; i < args.n; i++) {
		char c = args.p[i];

		if (!char_is_alpha(c) && !char_is_digit(c) && !((unsigned char)c & 0x80) &&
		    !strchr("-._:%", c))
			return false;
	}
	return true;
}

/* ---- parameters ---- */

struct smtp_command_parameter {
	const char *name;
	bool has_value;
	/* `value` is empty when none was given. out: the command's struct. */
	struct smtp_status (*parse)(struct str value, void *out);
};

/* RFC 5321 section 4.1.2, esmtp-value; beyond ASCII only xtext may carry it. */
static bool
is_value(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 33 || s.p[i] > 126 || s.p[i] == '=')
			return false;
	return s.n > 0;
}

/* xtext without control characters: a decoded CR LF could otherwise end a line of a report. */
static bool
is_printable_xtext(struct str value)
{
	struct buf plain;
	bool ok;

	buf_init(&plain, SMTP_COMMAND_LINE_MAX);
	ok = value.n > 0 && decode_xtext(&plain, value) && str_is_printable(buf_str(&plain));
	buf_clear(&plain);
	return ok;
}

bool
smtp_command_is_envid(struct str value)
{
	return value.n <= ENVID_MAX && is_printable_xtext(value);
}

bool
smtp_command_is_orcpt(struct str value)
{
	size_t at = str_find(value, ';');

	if (value.n > ORCPT_MAX || at == 0 || !is_printable_xtext(str_from(value, at + 1)))
		return false;
	for (size_t i = 0; i < at; i++)
		if (!char_is_alpha(value.p[i]) && !char_is_digit(value.p[i]) && value.p[i] != '-')
			return false;
	return true;
}

static struct smtp_status
param_size(struct str value, void *out)
{
	struct smtp_command_mail *m = out;

	for (size_t i = 0; i < value.n; i++)
		if (!char_is_digit(value.p[i]))
			return smtp_command_malformed("SIZE");
	if (!str_u64(value, &m->size))
		return smtp_status_make(
		    552, "5.3.4", "Message size exceeds fixed maximum message size");
	m->has_size = true;
	return smtp_command_ok();
}

static struct smtp_status
param_body(struct str value, void *out)
{
	struct smtp_command_mail *m = out;

	if (str_ieq(value, STR("8BITMIME")))
		m->body = BODY_8BITMIME;
	else if (str_ieq(value, STR("7BIT")))
		m->body = BODY_7BIT;
	else
		return smtp_status_make(
		    555, "5.5.4", "BODY value not recognized, use 7BIT or 8BITMIME");
	return smtp_command_ok();
}

static struct smtp_status
param_smtputf8(struct str value, void *out)
{
	struct smtp_command_mail *m = out;

	(void)value;
	m->smtputf8 = true;
	return smtp_command_ok();
}

static struct smtp_status
param_ret(struct str value, void *out)
{
	struct smtp_command_mail *m = out;

	if (str_ieq(value, STR("FULL")))
		m->ret = RETURN_FULL;
	else if (str_ieq(value, STR("HDRS")))
		m->ret = RETURN_HEADERS;
	else
		return smtp_command_malformed("RET");
	return smtp_command_ok();
}

static struct smtp_status
param_envid(struct str value, void *out)
{
	struct smtp_command_mail *m = out;

	if (!smtp_command_is_envid(value))
		return smtp_command_malformed("ENVID");
	m->envid = value;
	return smtp_command_ok();
}

/* RFC 4954 section 5. Only the syntax is checked: the sender is the login, whatever the value
 * claims. */
static struct smtp_status
param_auth(struct str value, void *out)
{
	struct smtp_command_mail *m = out;

	if (!str_eq(value, STR("<>")) && !is_printable_xtext(value))
		return smtp_command_malformed("AUTH");
	m->has_auth = true;
	return smtp_command_ok();
}

static unsigned
notify_word(struct str word)
{
	static const struct {
		const char *name;
		unsigned bit;
	} words[] = {{"NEVER", NOTIFY_NEVER}, {"SUCCESS", NOTIFY_SUCCESS},
	    {"FAILURE", NOTIFY_FAILURE}, {"DELAY", NOTIFY_DELAY}};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (str_ieq(word, str_of(words[i].name)))
			return words[i].bit;
	return 0;
}

static struct smtp_status
param_notify(struct str value, void *out)
{
	struct smtp_command_rcpt *r = out;
	struct str word;

	while (str_split(&value, ',', &word)) {
		unsigned bit = notify_word(word);

		if (bit == 0 || (r->notify & bit))
			return smtp_command_malformed("NOTIFY");
		r->notify |= bit;
	}
	if ((r->notify & NOTIFY_NEVER) && r->notify != NOTIFY_NEVER)
		return smtp_command_malformed("NOTIFY");
	return smtp_command_ok();
}

static struct smtp_status
param_orcpt(struct str value, void *out)
{
	struct smtp_command_rcpt *r = out;

	if (!smtp_command_is_orcpt(value))
		return smtp_command_malformed("ORCPT");
	r->orcpt = value;
	return smtp_command_ok();
}

static const struct smtp_command_parameter mail_params[] = {
    {"SIZE", true, param_size},
    {"BODY", true, param_body},
    {"SMTPUTF8", false, param_smtputf8},
    {"RET", true, param_ret},
    {"ENVID", true, param_envid},
    {"AUTH", true, param_auth},
    {NULL, false, NULL},
};

static const struct smtp_command_parameter rcpt_params[] = {
    {"NOTIFY", true, param_notify},
    {"ORCPT", true, param_orcpt},
    {NULL, false, NULL},
};

static bool
is_keyword(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!char_is_alpha(s.p[i]) && !char_is_digit(s.p[i]) && (i == 0 || s.p[i] != '-'))
			return false;
	return s.n > 0;
}

/* word: "KEY" or "KEY=value"; *seen: a bit for each row that was given before. */
static struct smtp_status
parse_param(const struct smtp_command_parameter *params, struct str word, unsigned *seen, void *out)
{
	size_t at = str_find(word, '=');
	struct str key = str_upto(word, at), value = str_from(word, at + 1);
	bool has_value = at < word.n;

	if (!is_keyword(key) || (has_value && !is_value(value)))
		return smtp_command_malformed("parameters");
	for (size_t i = 0; params[i].name; i++) {
		if (!str_ieq(key, str_of(params[i].name)))
			continue;
		if ((*seen & 1u << i) || has_value != params[i].has_value)
			return smtp_command_malformed(params[i].name);
		*seen |= 1u << i;
		return params[i].parse(value, out);
	}
	return smtp_status_make(555, "5.5.4", "Parameter %.*s not recognized or not implemented",
	    STR_ARG(str_upto(key, PARAMETER_SHOWN_MAX)));
}

/* rest: empty, or blanks before each parameter. */
static struct smtp_status
parse_params(const struct smtp_command_parameter *params, struct str rest, void *out)
{
	struct smtp_status s = smtp_command_ok();
	unsigned seen = 0;
	struct str word;

	if (rest.n > 0 && rest.p[0] != ' ' && str_trim(rest).n > 0)
		return smtp_command_malformed("parameters");
	rest = str_trim(rest);
	while (s.code == 250 && rest.n > 0 && str_split(&rest, ' ', &word))
		if (word.n > 0)
			s = parse_param(params, word, &seen, out);
	return s;
}

/* ---- MAIL, RCPT ---- */

/* "FROM:" or "TO:", and the blanks that some clients put after it. */
static bool
take_path_label(struct str *args, struct str label)
{
	if (!str_istarts(*args, label))
		return false;
	*args = str_trim(str_from(*args, label.n));
	return true;
}

struct smtp_status
smtp_command_parse_mail(struct str args, struct smtp_command_mail *out)
{
	const char *why = "";

	*out = (struct smtp_command_mail){0};
	if (!take_path_label(&args, STR("FROM:")))
		return smtp_command_malformed("MAIL, expected FROM:<address>");
	if (!mail_address_path(&args, &out->sender, &why))
		return smtp_status_make(553, "5.1.7", "Sender address: %s", why);
	if (out->sender.text.n && out->sender.domain.n == 0)
		return smtp_status_make(553, "5.1.7", "Sender address: no domain");
	return parse_params(mail_params, args, out);
}

struct smtp_status
smtp_command_parse_rcpt(struct str args, struct smtp_command_rcpt *out)
{
	const char *why = "";

	*out = (struct smtp_command_rcpt){0};
	if (!take_path_label(&args, STR("TO:")))
		return smtp_command_malformed("RCPT, expected TO:<address>");
	if (!mail_address_path(&args, &out->recipient, &why))
		return smtp_status_make(553, "5.1.3", "Recipient address: %s", why);
	if (out->recipient.text.n == 0)
		return smtp_status_make(553, "5.1.3", "Recipient address: empty");
	return parse_params(rcpt_params, args, out);
}

/* ---- BDAT, AUTH ---- */

struct smtp_status
smtp_command_parse_bdat(struct str args, struct smtp_command_bdat *out)
{
	size_t at = str_find(args, ' ');

	*out = (struct smtp_command_bdat){.is_last = at < args.n};
	if (!str_u64(str_upto(args, at), &out->size))
		return smtp_command_malformed("BDAT, expected a size");
	if (out->is_last && !str_ieq(str_from(args, at + 1), STR("LAST")))
		return smtp_command_malformed("BDAT, expected LAST");
	return smtp_command_ok();
}

static bool
is_auth_argument_mechanism(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!char_is_alpha(s.p[i]) && !char_is_digit(s.p[i]) && s.p[i] != '-' &&
		    s.p[i] != '_')
			return false;
	return s.n > 0 && s.n <= MECHANISM_MAX;
}

struct smtp_status
smtp_command_parse_auth(struct str args, struct smtp_command_auth *out)
{
	*out = (struct smtp_command_auth){.mechanism = smtp_command_take_word(&args)};
	if (!is_auth_argument_mechanism(out->mechanism))
		return smtp_command_malformed("AUTH, expected a mechanism");
	out->initial = smtp_command_take_word(&args);
	out->has_initial = out->initial.n > 0;
	if (args.n > 0)
		return smtp_command_malformed("AUTH, malformed initial response");
	if (str_eq(out->initial, STR("=")))
		out->initial.n = 0;
	return smtp_command_ok();
}
