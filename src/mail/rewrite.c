/*
 * rewrite: one pass over the fields; a table has the rule for each name. The result has the
 * client's bytes, except: Received is added at the top; Bcc, Resent-Bcc, Return-Path, a Date or
 * Message-ID without a value, and Authentication-Results with our own name are removed; "@domain"
 * is added to unqualified addresses; header_repair corrects faults of form; and missing fields are
 * added at the end (From, Sender, Date, Message-ID).
 *
 * An originator field must be readable in one way only: its addresses may have no comment or
 * folding inside, and `may` must allow each one, also in older Resent- blocks. Recipient fields
 * that cannot be parsed are unchanged: nothing depends on them.
 */
#include "mail/rewrite.h"

#include "base/clock.h"
#include "mail/authserv.h"
#include "mail/header_repair.h"

enum rule_flag {
	REMOVE = 1,
	COMPLETE = 2,   /* an address list: unqualified addresses get the domain */
	ORIGINATOR = 4, /* the user must be allowed to use every address in it */
	ONCE = 8,    /* a second field is refused (RFC 5322 section 3.6); Bcc is removed anyway */
	SINGLE = 16, /* holds exactly one address */
	RESENT = 32,
	NEEDS_VALUE = 64,   /* without a value it counts as missing */
	AUTH_RESULTS = 128, /* Authentication-Results: removed when it may have our name */
	UNPARSED = 256,     /* nothing is parsed in it: control characters are repaired */
};

/* The fields that a message should have; bits of `seen`. */
enum field_kind {
	OTHER,
	FROM,
	SENDER,
	DATE,
	MESSAGE_ID,
	RECEIVED,
	RESENT_DATE,
	RESENT_MESSAGE_ID,
	RESENT_FROM,
	TO,
	CC,
	REPLY_TO,
	SUBJECT,
	IN_REPLY_TO,
	REFERENCES
};

struct rewrite_rule {
	struct str name;
	unsigned flags;
	enum field_kind kind;
};

#define NAME(text)                                                                                 \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}
static const struct rewrite_rule rules[] = {
    {NAME("From"), COMPLETE | ORIGINATOR | ONCE, FROM},
    {NAME("Sender"), COMPLETE | ORIGINATOR | ONCE | SINGLE, SENDER},
    {NAME("Date"), ONCE | NEEDS_VALUE, DATE},
    {NAME("Message-ID"), ONCE | NEEDS_VALUE, MESSAGE_ID},
    {NAME("Received"), 0, RECEIVED},
    {NAME("To"), COMPLETE | ONCE, TO},
    {NAME("Cc"), COMPLETE | ONCE, CC},
    {NAME("Reply-To"), COMPLETE | ONCE, REPLY_TO},
    {NAME("Subject"), ONCE | UNPARSED, SUBJECT},
    {NAME("In-Reply-To"), ONCE | UNPARSED, IN_REPLY_TO},
    {NAME("References"), ONCE | UNPARSED, REFERENCES},
    {NAME("Bcc"), REMOVE, OTHER},
    {NAME("Authentication-Results"), AUTH_RESULTS | UNPARSED, OTHER},
    {NAME("Return-Path"), REMOVE, OTHER},
    {NAME("Resent-From"), COMPLETE | ORIGINATOR | RESENT, RESENT_FROM},
    {NAME("Resent-Sender"), COMPLETE | ORIGINATOR | SINGLE | RESENT, OTHER},
    {NAME("Resent-Date"), RESENT, RESENT_DATE},
    {NAME("Resent-Message-ID"), RESENT, RESENT_MESSAGE_ID},
    {NAME("Resent-To"), COMPLETE | RESENT, OTHER},
    {NAME("Resent-Cc"), COMPLETE | RESENT, OTHER},
    {NAME("Resent-Reply-To"), COMPLETE | RESENT, OTHER},
    {NAME("Resent-Bcc"), REMOVE | RESENT, OTHER},
};
enum { RULES = sizeof rules / sizeof *rules };
static const struct rewrite_rule no_rule = {{"", 0}, 0, OTHER};

struct rewrite_state {
	const struct rewrite *r;
	const struct header *h;
	struct arena *arena;  /* of the caller, for *from_out */
	struct arena scratch; /* for the addresses of one field */
	struct buf *out;
	struct str from; /* first From address, complete */
	unsigned seen;   /* 1 << enum field_kind */
	size_t from_count;
	size_t received;
	bool resent_begun;
};

enum { SCRATCH_BYTES = 8 << 20 }; /* HEADER_BYTES_MAX of one-letter addresses take 2 MB */

static const struct rewrite_rule *
find_rewrite_rule(const struct header_field *f)
{
	for (size_t i = 0; i < RULES; i++)
		if (str_ieq(f->name, rules[i].name))
			return &rules[i];
	return &no_rule;
}

static struct smtp_status
rewrite_ok(void)
{
	return (struct smtp_status){.code = 250};
}

static struct smtp_status
refuse_address_list(const struct rewrite_rule *rule)
{
	return smtp_status_make(554, "5.6.0",
	    "The %.*s header field is not a valid list of addresses", STR_ARG(rule->name));
}

/* ---- trace (RFC 5321 section 4.4) ---- */

/* The argument of EHLO comes from the client: shown only when every character is harmless. */
static bool
is_plain_helo_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!char_is_alpha(s.p[i]) && !char_is_digit(s.p[i]) && s.p[i] != '-' &&
		    s.p[i] != '.')
			return false;
	return s.n > 0 && s.n <= MAIL_ADDRESS_DOMAIN_MAX;
}

static void
rewrite_add_client(struct buf *out, const struct rewrite *r)
{
	const char *tag = str_has(r->client, ':') ? "IPv6:" : "";

	if (is_plain_helo_name(r->helo))
		buf_addf(
		    out, " from %.*s ([%s%.*s])\r\n\t", STR_ARG(r->helo), tag, STR_ARG(r->client));
	else
		buf_addf(out, " from [%s%.*s]\r\n\t", tag, STR_ARG(r->client));
}

static void
rewrite_add_received(struct buf *out, const struct rewrite *r)
{
	char date[CLOCK_TEXT_BYTES];

	buf_addz(out, "Received:");
	if (r->client.n)
		rewrite_add_client(out, r);
	else
		buf_addc(out, ' ');
	buf_addf(out, "by %.*s (sallyport) with %.*s", STR_ARG(r->hostname), STR_ARG(r->protocol));
	if (r->tls.n)
		buf_addf(out, " (%.*s)", STR_ARG(r->tls));
	buf_addf(out, "\r\n\tid %.*s", STR_ARG(r->id));
	if (r->for_recipient.n)
		buf_addf(out, " for <%.*s>", STR_ARG(r->for_recipient));
	buf_addf(out, ";\r\n\t%s\r\n", clock_rfc5322(r->now_ms, date));
}

/* ---- addresses ---- */

/* An address without a domain that may be completed. */
static bool
is_unqualified_address(const struct rewrite_state *w, const struct header_address *a)
{
	return a->is_simple && w->r->domain.n && !str_has(a->text, '@');
}

static struct str
rewrite_qualify(struct rewrite_state *w, const struct header_address *a)
{
	if (!is_unqualified_address(w, a))
		return a->text;
	return arena_printf(&w->scratch, "%.*s@%.*s", STR_ARG(a->text), STR_ARG(w->r->domain));
}

static struct smtp_status
check_originator_address(
    struct rewrite_state *w, const struct rewrite_rule *rule, const struct header_address *a)
{
	struct str text = rewrite_qualify(w, a);
	struct mail_address parsed;

	if (!a->is_simple || !mail_address_parse(text, &parsed, NULL))
		return refuse_address_list(rule);
	if (!w->r->may(&parsed, w->r->may_arg)) {
		w->from = arena_str(w->arena, text);
		return smtp_status_make(
		    550, "5.7.1", "%.*s may not send as %.*s", STR_ARG(w->r->user), STR_ARG(text));
	}
	if (rule->kind == FROM && w->from.n == 0)
		w->from = arena_str(w->arena, text);
	return rewrite_ok();
}

/* Checks the text that the field shows beside its addresses. */
static struct smtp_status
rewrite_check_names(struct rewrite_state *w, const struct rewrite_rule *rule, struct str body,
    const struct header_address *list, size_t count)
{
	struct display_name check = {rule->name, w->r->user, w->r->may, w->r->may_arg, w->arena};
	struct str shown;
	struct smtp_status s = display_name_check(&check, body, list, count, &shown);

	if (s.code == 550)
		w->from = shown;
	return s;
}

static struct smtp_status
check_originator_addresses(struct rewrite_state *w, const struct rewrite_rule *rule,
    const struct header_address *list, size_t count)
{
	struct smtp_status s = rewrite_ok();

	if (count == 0 || ((rule->flags & SINGLE) && count != 1))
		return refuse_address_list(rule);
	for (size_t i = 0; i < count && s.code == 250; i++)
		s = check_originator_address(w, rule, &list[i]);
	if (rule->kind == FROM)
		w->from_count = count;
	return s;
}

/* Adds the field, with the domain after each address that has none. */
static void
add_qualified_addresses(struct rewrite_state *w, const struct header_field *f,
    const struct header_address *list, size_t count)
{
	size_t base = (size_t)(f->body.p - f->raw.p), from = 0;

	for (size_t i = 0; i < count; i++) {
		size_t end = base + list[i].at + list[i].n;

		if (!is_unqualified_address(w, &list[i]))
			continue;
		buf_add(w->out, f->raw.p + from, end - from);
		buf_addc(w->out, '@');
		buf_adds(w->out, w->r->domain);
		from = end;
	}
	buf_adds(w->out, str_from(f->raw, from));
}

static struct smtp_status
rewrite_address_field(
    struct rewrite_state *w, const struct rewrite_rule *rule, const struct header_field *f)
{
	struct header_address *list;
	struct smtp_status s = rewrite_ok();
	size_t count;

	if (!header_addresses(f->body, &w->scratch, &list, &count)) {
		if (rule->flags & ORIGINATOR)
			return refuse_address_list(rule);
		buf_adds(w->out, f->raw);
		return s;
	}
	if (rule->flags & ORIGINATOR)
		s = check_originator_addresses(w, rule, list, count);
	if (s.code == 250 && (rule->flags & ORIGINATOR))
		s = rewrite_check_names(w, rule, f->body, list, count);
	if (s.code == 250)
		add_qualified_addresses(w, f, list, count);
	return s;
}

/* ---- missing fields ---- */

static void
rewrite_add_date(struct rewrite_state *w, const char *name)
{
	char date[CLOCK_TEXT_BYTES];

	buf_addf(w->out, "%s: %s\r\n", name, clock_rfc5322(w->r->now_ms, date));
}

static void
rewrite_add_message_id(struct rewrite_state *w, const char *name)
{
	buf_addf(w->out, "%s: <%.*s@%.*s>\r\n", name, STR_ARG(w->r->id), STR_ARG(w->r->hostname));
}

/* The kinds of the fields in the block that begins at fields[at] (RFC 5322 section 3.6.6): adjacent
 * Resent- fields; a repeated one begins an older block. */
static unsigned
resent_block(const struct header *h, size_t at)
{
	unsigned seen = 0, kinds = 0;

	for (; at < h->count; at++) {
		const struct rewrite_rule *rule = find_rewrite_rule(&h->fields[at]);
		unsigned bit = rule == &no_rule ? 0 : 1u << (rule - rules);

		if (!(rule->flags & RESENT) || (seen & bit))
			break;
		seen |= bit;
		kinds |= 1u << rule->kind;
	}
	return kinds;
}

/* Only the newest block belongs to this submission; its missing fields are added before it. */
static void
begin_resent_block(struct rewrite_state *w, size_t at)
{
	unsigned kinds = resent_block(w->h, at);

	w->resent_begun = true;
	if (!(kinds & 1u << RESENT_DATE))
		rewrite_add_date(w, "Resent-Date");
	if (!(kinds & 1u << RESENT_MESSAGE_ID))
		rewrite_add_message_id(w, "Resent-Message-ID");
	if (!(kinds & 1u << RESENT_FROM) && w->r->sender.n)
		buf_addf(w->out, "Resent-From: %.*s\r\n", STR_ARG(w->r->sender));
}

static struct smtp_status
add_missing_fields(struct rewrite_state *w)
{
	struct str sender = w->r->sender.n ? w->r->sender : w->from;

	if (!(w->seen & 1u << FROM)) {
		if (w->r->sender.n == 0)
			return smtp_status_make(554, "5.6.0", "No From header field");
		buf_addf(w->out, "From: %.*s\r\n", STR_ARG(w->r->sender));
		w->from = arena_str(w->arena, w->r->sender);
	}
	/* RFC 5322 section 3.6.2: several authors need a Sender */
	if (w->from_count > 1 && !(w->seen & 1u << SENDER))
		buf_addf(w->out, "Sender: %.*s\r\n", STR_ARG(sender));
	if (!(w->seen & 1u << DATE))
		rewrite_add_date(w, "Date");
	if (!(w->seen & 1u << MESSAGE_ID))
		rewrite_add_message_id(w, "Message-ID");
	return rewrite_ok();
}

/* ---- fields ---- */

static struct smtp_status
rewrite_check_octets(const struct rewrite_state *w, const struct header_field *f)
{
	if (str_is_ascii(f->raw))
		return rewrite_ok();
	if (!str_is_utf8(f->raw))
		return smtp_status_make(554, "5.6.0", "Header octets that are not UTF-8");
	if (!w->r->smtputf8)
		return smtp_status_make(554, "5.6.7", "UTF-8 in the header needs SMTPUTF8");
	return rewrite_ok();
}

/* An originator field may never be repeated, whatever else is accepted. */
static bool
rewrite_is_duplicate(const struct rewrite_state *w, const struct rewrite_rule *rule)
{
	return (rule->flags & ONCE) && (w->seen & 1u << rule->kind) &&
	       (!w->r->passes_duplicates || (rule->flags & ORIGINATOR));
}

static struct smtp_status
check_rewrite_field(
    struct rewrite_state *w, const struct rewrite_rule *rule, const struct header_field *f)
{
	unsigned bit = 1u << rule->kind;

	if (rule->kind == RECEIVED && ++w->received > REWRITE_RECEIVED_MAX)
		return smtp_status_make(
		    554, "5.4.6", "Too many Received header fields, probably a mail loop");
	if (rewrite_is_duplicate(w, rule))
		return smtp_status_make(
		    554, "5.6.0", "More than one %.*s header field", STR_ARG(rule->name));
	w->seen |= bit;
	return rewrite_check_octets(w, f);
}

static bool
is_without_value(const struct header_field *f)
{
	for (size_t i = 0; i < f->body.n; i++)
		if (!strchr(" \t\r\n", f->body.p[i]))
			return false;
	return true;
}

/* Whether the field counts as missing. */
static bool
rewrite_is_dropped(
    const struct rewrite_state *w, const struct rewrite_rule *rule, const struct header_field *f)
{
	if (rule->flags & AUTH_RESULTS)
		return authserv_may_be(f->body, w->r->hostname);
	return (rule->flags & NEEDS_VALUE) && is_without_value(f);
}

static struct smtp_status
rewrite_field(struct rewrite_state *w, size_t at)
{
	const struct header_field *f = &w->h->fields[at];
	const struct rewrite_rule *rule = find_rewrite_rule(f);
	struct header_field repaired;
	struct smtp_status s;

	if (rewrite_is_dropped(w, rule, f))
		return rewrite_ok();
	s = check_rewrite_field(w, rule, f);
	if (s.code != 250)
		return s;
	if ((rule->flags & RESENT) && !w->resent_begun)
		begin_resent_block(w, at);
	if (rule->flags & REMOVE)
		return s;
	if (rule != &no_rule && !(rule->flags & UNPARSED) && header_has_control(f))
		return smtp_status_make(
		    554, "5.6.0", "%.*s header field: control character", STR_ARG(rule->name));
	repaired = header_repair(f, &w->scratch);
	if (rule->flags & COMPLETE)
		s = rewrite_address_field(w, rule, &repaired);
	else
		buf_adds(w->out, repaired.raw);
	arena_clear(&w->scratch);
	return s;
}

static struct smtp_status
check_rewritten_header(const struct buf *out)
{
	struct header_fault fault;

	if (!buf_ok(out))
		return smtp_status_make(
		    552, "5.3.4", "Header is larger than %d octets", HEADER_BYTES_MAX);
	if (!header_is_sendable(buf_str(out), &fault))
		return smtp_status_make(
		    554, "5.6.0", "%.*s header field: %s", STR_ARG(fault.name), fault.why);
	return smtp_status_make(250, "2.0.0", "Ok");
}

struct smtp_status
rewrite_submission(const struct header *h, const struct rewrite *r, struct arena *arena,
    struct buf *out, struct str *from_out)
{
	struct rewrite_state w = {.r = r, .h = h, .arena = arena, .out = out};
	struct smtp_status s = rewrite_ok();

	arena_init(&w.scratch, SCRATCH_BYTES);
	*from_out = STR_NULL;
	rewrite_add_received(out, r);
	for (size_t i = 0; i < h->count && s.code == 250; i++)
		s = rewrite_field(&w, i);
	if (s.code == 250)
		s = add_missing_fields(&w);
	arena_clear(&w.scratch);
	if (s.code == 250)
		s = check_rewritten_header(out);
	if (s.code == 250 || s.code == 550)
		*from_out = w.from;
	return s;
}
