/*
 * header_complete: one pass over the fields makes a new list of them. Bcc, Resent-Bcc, Return-Path,
 * a Date or Message-ID without a value, and Authentication-Results with our own name are left out;
 * "@domain" is added to unqualified addresses; header_repair corrects faults of form; and missing
 * fields are added at the end (From, Sender, Date, Message-ID). A recipient field that cannot be
 * parsed is unchanged.
 */
#include "mail/header_complete.h"

#include "base/clock.h"
#include "mail/header_repair.h"
#include "mail/header_rule.h"

struct header_completion {
	const struct header_origin *origin;
	const struct header_authors *authors;
	const struct header *in;
	struct header *out;
	struct arena *arena;  /* of the caller */
	struct arena scratch; /* for the addresses of one field */
	size_t bytes;         /* of all fields in out */
	unsigned seen;        /* 1 << enum header_kind */
	bool resent_begun;
};

enum {
	SCRATCH_BYTES = 8 << 20, /* HEADER_BYTES_MAX of one-letter addresses take 2 MB */
	ADDED_FIELDS_MAX = 7,    /* three of a Resent- block, four of the message */
};

static void
pass_field(struct header_completion *c, const struct header_field *f)
{
	c->out->fields[c->out->count++] = *f;
	c->bytes += f->raw.n;
}

/* ---- new fields ---- */

static void
add_field(struct header_completion *c, const char *name, struct str value)
{
	struct str raw = arena_printf(c->arena, "%s: %.*s\r\n", name, STR_ARG(value));
	size_t name_bytes = strlen(name);
	struct header_field f = {
	    .raw = raw,
	    .name = str_upto(raw, name_bytes),
	    .body = str_make(raw.p + name_bytes + 1, raw.n - name_bytes - 3),
	};

	pass_field(c, &f);
}

static void
add_date_field(struct header_completion *c, const char *name)
{
	char date[CLOCK_TEXT_BYTES];

	add_field(c, name, str_of(clock_rfc5322(c->origin->now_ms, date)));
}

static void
add_message_id_field(struct header_completion *c, const char *name)
{
	add_field(c, name,
	    arena_printf(
	        c->arena, "<%.*s@%.*s>", STR_ARG(c->origin->id), STR_ARG(c->origin->hostname)));
}

/* The kinds of the fields in the block that begins at fields[at] (RFC 5322 section 3.6.6): adjacent
 * Resent- fields; a repeated one begins an older block. */
static unsigned
resent_block(const struct header *h, size_t at)
{
	unsigned seen = 0, kinds = 0;

	for (; at < h->count; at++) {
		const struct header_rule *rule = header_rule_of(&h->fields[at]);
		unsigned bit = header_rule_bit(rule);

		if (!(rule->flags & HEADER_RULE_RESENT) || (seen & bit))
			break;
		seen |= bit;
		kinds |= 1u << rule->kind;
	}
	return kinds;
}

/* Only the newest block belongs to this submission; its missing fields are added before it. */
static void
begin_resent_block(struct header_completion *c, size_t at)
{
	unsigned kinds = resent_block(c->in, at);

	c->resent_begun = true;
	if (!(kinds & 1u << HEADER_RESENT_DATE))
		add_date_field(c, "Resent-Date");
	if (!(kinds & 1u << HEADER_RESENT_MESSAGE_ID))
		add_message_id_field(c, "Resent-Message-ID");
	if (!(kinds & 1u << HEADER_RESENT_FROM) && c->origin->sender.n)
		add_field(c, "Resent-From", c->origin->sender);
}

static void
add_missing_fields(struct header_completion *c)
{
	const struct header_origin *o = c->origin;

	if (!(c->seen & 1u << HEADER_FROM))
		add_field(c, "From", o->sender);
	/* RFC 5322 section 3.6.2: several authors need a Sender */
	if (c->authors->from_count > 1 && !(c->seen & 1u << HEADER_SENDER))
		add_field(c, "Sender", o->sender.n ? o->sender : c->authors->from);
	if (!(c->seen & 1u << HEADER_DATE))
		add_date_field(c, "Date");
	if (!(c->seen & 1u << HEADER_MESSAGE_ID))
		add_message_id_field(c, "Message-ID");
}

/* ---- addresses ---- */

/* Adds the domain after each address that has none. False: the header becomes too large. */
static bool
qualify_field(struct header_completion *c, struct header_field *f,
    const struct header_address *list, size_t count)
{
	size_t base = (size_t)(f->body.p - f->raw.p), from = 0;
	bool is_ok;
	struct buf raw;

	buf_init(&raw, HEADER_COMPLETE_BYTES_MAX - c->bytes);
	for (size_t i = 0; i < count; i++) {
		size_t end = base + list[i].at + list[i].n;

		if (!header_policy_is_unqualified(c->origin, &list[i]))
			continue;
		buf_add(&raw, f->raw.p + from, end - from);
		buf_addc(&raw, '@');
		buf_adds(&raw, c->origin->domain);
		from = end;
	}
	is_ok = from == 0 || buf_adds(&raw, str_from(f->raw, from));
	if (from > 0 && is_ok) {
		f->raw = arena_str(c->arena, buf_str(&raw));
		f->name = str_upto(f->raw, f->name.n);
		f->body = str_make(f->raw.p + base, f->raw.n - base - 2);
	}
	buf_clear(&raw);
	return is_ok;
}

/* The check has found whether an originator field needs it. */
static bool
complete_addresses(
    struct header_completion *c, const struct header_rule *rule, struct header_field *f)
{
	struct header_address *list;
	bool is_ok = true;
	size_t count;

	if (!(rule->flags & HEADER_RULE_COMPLETE) ||
	    ((rule->flags & HEADER_RULE_ORIGINATOR) && !c->authors->has_unqualified))
		return true;
	if (header_addresses(f->body, &c->scratch, &list, &count))
		is_ok = qualify_field(c, f, list, count);
	arena_clear(&c->scratch);
	return is_ok;
}

/* ---- fields ---- */

static bool
complete_field(struct header_completion *c, size_t at)
{
	const struct header_field *f = &c->in->fields[at];
	const struct header_rule *rule = header_rule_of(f);
	struct header_field repaired;

	if (header_rule_ignores(rule, f, c->origin->hostname))
		return true;
	c->seen |= 1u << rule->kind;
	if ((rule->flags & HEADER_RULE_RESENT) && !c->resent_begun)
		begin_resent_block(c, at);
	if (rule->flags & HEADER_RULE_REMOVE)
		return true;
	repaired = header_repair(f, c->arena);
	if (!complete_addresses(c, rule, &repaired))
		return false;
	pass_field(c, &repaired);
	return c->bytes <= HEADER_COMPLETE_BYTES_MAX;
}

bool
header_complete(const struct header *h, const struct header_origin *o,
    const struct header_authors *authors, struct arena *arena, struct header *out)
{
	struct header_completion c = {
	    .origin = o, .authors = authors, .in = h, .out = out, .arena = arena};
	bool is_ok = true;

	*out = (struct header){
	    .fields = ARENA_ARRAY(arena, struct header_field, h->count + ADDED_FIELDS_MAX)};
	arena_init(&c.scratch, SCRATCH_BYTES);
	for (size_t i = 0; i < h->count && is_ok; i++)
		is_ok = complete_field(&c, i);
	arena_clear(&c.scratch);
	if (is_ok)
		add_missing_fields(&c);
	return is_ok;
}
