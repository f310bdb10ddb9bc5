/*
 * rewrite: one pass over the fields; a table says what each name means here.  Whoever reads the
 * result sees the client's bytes, except: Received on top; Bcc, Resent-Bcc, Return-Path, a Date or
 * Message-ID without a value and Authentication-Results in our name gone; "@domain" behind bare
 * names; what header_repair mends; and at the end what was missing (From, Sender, Date,
 * Message-ID).
 *
 * A field that says who wrote or sent must be readable beyond doubt: the address may have no
 * comment or folding inside, and each one must pass `may`; older Resent- blocks are no exception.
 * Fields of recipients that cannot be read stay as they are: nothing is decided by them.
 */
#include "mail/rewrite.h"

#include "base/clock.h"
#include "mail/authserv.h"
#include "mail/header_repair.h"

enum rule_flag {
	REMOVE = 1,
	COMPLETE = 2, /* an address list: unqualified addresses get the domain */
	OURS = 4,     /* every address in it must be the user's */
	ONCE = 8,     /* a second field is refused (RFC 5322 section 3.6); no Bcc leaves anyway */
	SINGLE = 16,  /* holds exactly one address */
	RESENT = 32,
	FILLED = 64,   /* without a value it is as good as missing */
	RESULTS = 128, /* removed when it may be in our name */
	FREE = 256,    /* nothing is read in it: control characters are mended */
};

/* The fields that a message should have; bits of `seen`. */
enum known {
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
	enum known known;
};

#define NAME(text)                                                                                 \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}
static const struct rewrite_rule rules[] = {
    {NAME("From"), COMPLETE | OURS | ONCE, FROM},
    {NAME("Sender"), COMPLETE | OURS | ONCE | SINGLE, SENDER},
    {NAME("Date"), ONCE | FILLED, DATE},
    {NAME("Message-ID"), ONCE | FILLED, MESSAGE_ID},
    {NAME("Received"), 0, RECEIVED},
    {NAME("To"), COMPLETE | ONCE, TO},
    {NAME("Cc"), COMPLETE | ONCE, CC},
    {NAME("Reply-To"), COMPLETE | ONCE, REPLY_TO},
    {NAME("Subject"), ONCE | FREE, SUBJECT},
    {NAME("In-Reply-To"), ONCE | FREE, IN_REPLY_TO},
    {NAME("References"), ONCE | FREE, REFERENCES},
    {NAME("Bcc"), REMOVE, OTHER},
    {NAME("Authentication-Results"), RESULTS | FREE, OTHER},
    {NAME("Return-Path"), REMOVE, OTHER},
    {NAME("Resent-From"), COMPLETE | OURS | RESENT, RESENT_FROM},
    {NAME("Resent-Sender"), COMPLETE | OURS | SINGLE | RESENT, OTHER},
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
	struct arena *arena;  /* the caller's, for *from_out */
	struct arena scratch; /* one field's addresses */
	struct buf *out;
	struct str from; /* first From address, complete */
	unsigned seen;   /* 1 << enum known */
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

/* EHLO's argument is a stranger's word: shown only when no letter of it could be read as more. */
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

/* A name without a domain that may be given ours. */
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
	if (rule->known == FROM && w->from.n == 0)
		w->from = arena_str(w->arena, text);
	return rewrite_ok();
}

/* What the field shows beside its addresses. */
static struct smtp_status
rewrite_check_names(struct rewrite_state *w, const struct rewrite_rule *rule, struct str body,
    const struct header_address *list, size_t count)
{
	struct display_name names = {rule->name, w->r->user, w->r->may, w->r->may_arg, w->arena};
	struct str shown;
	struct smtp_status s = display_name_check(&names, body, list, count, &shown);

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
	if (rule->known == FROM)
		w->from_count = count;
	return s;
}

/* The field, with the domain behind each address that has none. */
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
		if (rule->flags & OURS)
			return refuse_address_list(rule);
		buf_adds(w->out, f->raw);
		return s;
	}
	if (rule->flags & OURS)
		s = check_originator_addresses(w, rule, list, count);
	if (s.code == 250 && (rule->flags & OURS))
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

/* The fields of the block that begins at fields[at] (RFC 5322 section 3.6.6): Resent- fields in a
 * row; one that comes a second time begins an older block. */
static unsigned
resent_block(const struct header *h, size_t at)
{
	unsigned seen = 0, known = 0;

	for (; at < h->count; at++) {
		const struct rewrite_rule *rule = find_rewrite_rule(&h->fields[at]);
		unsigned bit = rule == &no_rule ? 0 : 1u << (rule - rules);

		if (!(rule->flags & RESENT) || (seen & bit))
			break;
		seen |= bit;
		known |= 1u << rule->known;
	}
	return known;
}

/* Only the newest block is this submission's; what it lacks goes in front of it. */
static void
begin_resent_block(struct rewrite_state *w, size_t at)
{
	unsigned known = resent_block(w->h, at);

	w->resent_begun = true;
	if (!(known & 1u << RESENT_DATE))
		rewrite_add_date(w, "Resent-Date");
	if (!(known & 1u << RESENT_MESSAGE_ID))
		rewrite_add_message_id(w, "Resent-Message-ID");
	if (!(known & 1u << RESENT_FROM) && w->r->sender.n)
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

/* Who wrote or sent it may never be said twice, whatever else is let pass. */
static bool
rewrite_is_duplicate(const struct rewrite_state *w, const struct rewrite_rule *rule)
{
	return (rule->flags & ONCE) && (w->seen & 1u << rule->known) &&
	       (!w->r->passes_doubled || (rule->flags & OURS));
}

static struct smtp_status
check_rewrite_field(
    struct rewrite_state *w, const struct rewrite_rule *rule, const struct header_field *f)
{
	unsigned bit = 1u << rule->known;

	if (rule->known == RECEIVED && ++w->received > REWRITE_RECEIVED_MAX)
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

/* As if it had not been there. */
static bool
rewrite_is_dropped(
    const struct rewrite_state *w, const struct rewrite_rule *rule, const struct header_field *f)
{
	if (rule->flags & RESULTS)
		return authserv_may_be(f->body, w->r->hostname);
	return (rule->flags & FILLED) && is_without_value(f);
}

static struct smtp_status
rewrite_field(struct rewrite_state *w, size_t at)
{
	const struct header_field *f = &w->h->fields[at];
	const struct rewrite_rule *rule = find_rewrite_rule(f);
	struct header_field mended;
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
	if (rule != &no_rule && !(rule->flags & FREE) && header_has_control(f))
		return smtp_status_make(
		    554, "5.6.0", "%.*s header field: control character", STR_ARG(rule->name));
	mended = header_repair(f, &w->scratch);
	if (rule->flags & COMPLETE)
		s = rewrite_address_field(w, rule, &mended);
	else
		buf_adds(w->out, mended.raw);
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
