/*
 * header_policy: an originator field must be readable in one way only: its addresses may have no
 * comment or folding inside, and `may` must allow each one, also in older Resent- blocks. It is
 * judged as it will be sent: after the repair of its form. Recipient fields that cannot be parsed
 * are not refused: nothing depends on them.
 */
#include "mail/header_policy.h"

#include "mail/header_repair.h"
#include "mail/header_rule.h"

struct header_policy {
	const struct header_origin *origin;
	struct arena *arena;  /* of the caller, for `authors` */
	struct arena scratch; /* for the addresses of one field */
	struct header_authors authors;
	unsigned seen; /* 1 << enum header_kind */
	size_t received;
	struct smtp_status refusal; /* code 0: none so far */
};

enum { SCRATCH_BYTES = 8 << 20 }; /* HEADER_BYTES_MAX of one-letter addresses take 2 MB */

static bool
refuse_header(struct header_policy *p, const struct smtp_status *status)
{
	p->refusal = *status;
	return false;
}

static bool
refuse_address_list(struct header_policy *p, const struct header_rule *rule)
{
	struct smtp_status s = smtp_status_make(554, "5.6.0",
	    "The %.*s header field is not a valid list of addresses", STR_ARG(rule->name));

	return refuse_header(p, &s);
}

/* ---- addresses ---- */

bool
header_policy_is_unqualified(const struct header_origin *o, const struct header_address *a)
{
	return a->is_simple && o->domain.n && !str_has(a->text, '@');
}

static struct str
qualify_address(struct header_policy *p, const struct header_address *a)
{
	if (!header_policy_is_unqualified(p->origin, a))
		return a->text;
	p->authors.has_unqualified = true;
	return arena_printf(&p->scratch, "%.*s@%.*s", STR_ARG(a->text), STR_ARG(p->origin->domain));
}

static bool
check_originator_address(
    struct header_policy *p, const struct header_rule *rule, const struct header_address *a)
{
	const struct header_origin *o = p->origin;
	struct str text = qualify_address(p, a);
	struct mail_address parsed;
	struct smtp_status s;

	if (!a->is_simple || !mail_address_parse(text, &parsed, NULL))
		return refuse_address_list(p, rule);
	if (!o->may(&parsed, o->may_arg)) {
		p->authors.from = arena_str(p->arena, text);
		s = smtp_status_make(
		    550, "5.7.1", "%.*s may not send as %.*s", STR_ARG(o->user), STR_ARG(text));
		return refuse_header(p, &s);
	}
	if (rule->kind == HEADER_FROM && p->authors.from.n == 0)
		p->authors.from = arena_str(p->arena, text);
	return true;
}

/* Checks the text that the field shows beside its addresses. */
static bool
check_originator_names(struct header_policy *p, const struct header_rule *rule, struct str body,
    const struct header_address *list, size_t count)
{
	const struct header_origin *o = p->origin;
	struct display_name check = {rule->name, o->user, o->may, o->may_arg, p->arena};
	struct str shown;
	struct smtp_status s = display_name_check(&check, body, list, count, &shown);

	if (s.code == 550)
		p->authors.from = shown;
	return s.code == 250 || refuse_header(p, &s);
}

static bool
check_originator_list(
    struct header_policy *p, const struct header_rule *rule, const struct header_field *repaired)
{
	struct header_address *list;
	size_t count;

	if (!header_addresses(repaired->body, &p->scratch, &list, &count) || count == 0 ||
	    ((rule->flags & HEADER_RULE_SINGLE) && count != 1))
		return refuse_address_list(p, rule);
	for (size_t i = 0; i < count; i++)
		if (!check_originator_address(p, rule, &list[i]))
			return false;
	if (rule->kind == HEADER_FROM)
		p->authors.from_count = count;
	return check_originator_names(p, rule, repaired->body, list, count);
}

static bool
check_originator_field(
    struct header_policy *p, const struct header_rule *rule, const struct header_field *f)
{
	struct header_field repaired = header_repair(f, &p->scratch);
	bool is_ok = check_originator_list(p, rule, &repaired);

	arena_clear(&p->scratch);
	return is_ok;
}

/* ---- fields ---- */

static bool
check_field_octets(struct header_policy *p, const struct header_field *f)
{
	struct smtp_status s;

	if (str_is_ascii(f->raw))
		return true;
	if (!str_is_utf8(f->raw))
		s = smtp_status_make(554, "5.6.0", "Header octets that are not UTF-8");
	else if (!p->origin->smtputf8)
		s = smtp_status_make(554, "5.6.7", "UTF-8 in the header needs SMTPUTF8");
	else
		return true;
	return refuse_header(p, &s);
}

/* An originator field may never be repeated, whatever else is accepted. */
static bool
is_duplicate_field(const struct header_policy *p, const struct header_rule *rule)
{
	return (rule->flags & HEADER_RULE_ONCE) && (p->seen & 1u << rule->kind) &&
	       (!p->origin->passes_duplicates || (rule->flags & HEADER_RULE_ORIGINATOR));
}

static bool
check_field_count(struct header_policy *p, const struct header_rule *rule)
{
	struct smtp_status s;

	if (rule->kind == HEADER_RECEIVED && ++p->received > HEADER_POLICY_RECEIVED_MAX) {
		s = smtp_status_make(
		    554, "5.4.6", "Too many Received header fields, probably a mail loop");
		return refuse_header(p, &s);
	}
	if (is_duplicate_field(p, rule)) {
		s = smtp_status_make(
		    554, "5.6.0", "More than one %.*s header field", STR_ARG(rule->name));
		return refuse_header(p, &s);
	}
	p->seen |= 1u << rule->kind;
	return true;
}

static bool
check_field_control(
    struct header_policy *p, const struct header_rule *rule, const struct header_field *f)
{
	struct smtp_status s;

	if (!(rule->flags & HEADER_RULE_PARSED) || !header_has_control(f))
		return true;
	s = smtp_status_make(
	    554, "5.6.0", "%.*s header field: control character", STR_ARG(rule->name));
	return refuse_header(p, &s);
}

static bool
check_policy_field(struct header_policy *p, const struct header_field *f)
{
	const struct header_rule *rule = header_rule_of(f);

	if (header_rule_ignores(rule, f, p->origin->hostname))
		return true;
	if (!check_field_count(p, rule) || !check_field_octets(p, f) ||
	    !check_field_control(p, rule, f))
		return false;
	return !(rule->flags & HEADER_RULE_ORIGINATOR) || check_originator_field(p, rule, f);
}

static bool
check_author_exists(struct header_policy *p)
{
	struct smtp_status s;

	if (p->seen & 1u << HEADER_FROM)
		return true;
	if (p->origin->sender.n == 0) {
		s = smtp_status_make(554, "5.6.0", "No From header field");
		return refuse_header(p, &s);
	}
	p->authors.from = arena_str(p->arena, p->origin->sender);
	return true;
}

struct smtp_status
header_policy_check(const struct header *h, const struct header_origin *o, struct arena *arena,
    struct header_authors *out)
{
	struct header_policy p = {.origin = o, .arena = arena};
	bool is_ok = true;

	arena_init(&p.scratch, SCRATCH_BYTES);
	for (size_t i = 0; i < h->count && is_ok; i++)
		is_ok = check_policy_field(&p, &h->fields[i]);
	if (is_ok && check_author_exists(&p))
		p.refusal.code = 250;
	*out =
	    p.refusal.code == 250 || p.refusal.code == 550 ? p.authors : (struct header_authors){0};
	return p.refusal;
}
