/*
 * mail_address: a grammar of what is allowed; everything else is refused, never repaired (percent
 * signs and exclamation marks are ordinary characters of a local part).
 */
#include "mail/mail_address.h"

#include <arpa/inet.h>

enum { LABEL_MAX = 63 };

static bool
refuse_mail_address(const char **why_out, const char *why)
{
	if (why_out)
		*why_out = why;
	return false;
}

static bool
is_utf8_octet(char c)
{
	return (unsigned char)c >= 0x80;
}

/* Well-formed, and without U+0080..U+009F, which are control characters too. */
static bool
is_clean_utf8(struct str s)
{
	for (size_t i = 0; i + 1 < s.n; i++)
		if ((unsigned char)s.p[i] == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0)
			return false;
	return str_is_utf8(s);
}

/* ---- domain ---- */

static bool
mail_address_is_label(struct str s)
{
	size_t characters = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!char_is_alpha(c) && !char_is_digit(c) && c != '-' && !is_utf8_octet(c))
			return false;
		characters += ((unsigned char)c & 0xc0) != 0x80;
	}
	return characters >= 1 && characters <= LABEL_MAX && s.p[0] != '-' && s.p[s.n - 1] != '-';
}

bool
mail_address_is_domain(struct str domain)
{
	struct str rest = domain, label;

	if (domain.n == 0 || domain.n > MAIL_ADDRESS_DOMAIN_MAX || !is_clean_utf8(domain))
		return false;
	/* a trailing dot leaves an empty last label, which mail_address_is_label refuses */
	while (str_split(&rest, '.', &label))
		if (!mail_address_is_label(label))
			return false;
	return domain.p[domain.n - 1] != '.';
}

bool
mail_address_is_literal(struct str domain)
{
	char text[64], value[sizeof(struct in6_addr)];
	int family = AF_INET;

	if (domain.n < 2 || domain.p[0] != '[' || domain.p[domain.n - 1] != ']')
		return false;
	domain = str_make(domain.p + 1, domain.n - 2);
	if (str_istarts(domain, STR("IPv6:"))) {
		domain = str_from(domain, 5);
		family = AF_INET6;
	}
	if (domain.n >= sizeof text || str_has(domain, '\0'))
		return false;
	memcpy(text, domain.p, domain.n);
	text[domain.n] = '\0';
	return inet_pton(family, text, value) == 1;
}

/* ---- local part ---- */

static bool
mail_address_is_atext(char c)
{
	return char_is_alpha(c) || char_is_digit(c) || is_utf8_octet(c) ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool
is_dot_string(struct str s)
{
	if (s.n == 0 || s.p[0] == '.' || s.p[s.n - 1] == '.')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!mail_address_is_atext(s.p[i]) && (s.p[i] != '.' || s.p[i + 1] == '.'))
			return false;
	return true;
}

static bool
is_qtext(char c)
{
	return is_utf8_octet(c) || (c >= 0x20 && c <= 0x7e);
}

/* Length of the quoted string at the front of s, with both quotes; 0: none, or not closed. */
static size_t
quoted_bytes(struct str s)
{
	if (s.n == 0 || s.p[0] != '"')
		return 0;
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '"')
			return i + 1;
		if (s.p[i] == '\\' && (++i == s.n || is_utf8_octet(s.p[i])))
			return 0;
		if (!is_qtext(s.p[i]))
			return 0;
	}
	return 0;
}

/* Takes the next character of the local part off *rest, without its quoting; false at the end. */
static bool
next_local_part_octet(struct str *rest, bool is_quoted, char *out)
{
	if (is_quoted && rest->n && rest->p[0] == '\\')
		*rest = str_from(*rest, 1);
	if (rest->n == 0)
		return false;
	*out = rest->p[0];
	*rest = str_from(*rest, 1);
	return true;
}

/* The octets that next_local_part_octet reads. */
static struct str
local_part_inside(struct str local, bool *is_quoted_out)
{
	*is_quoted_out = local.n >= 2 && local.p[0] == '"';
	return *is_quoted_out ? str_make(local.p + 1, local.n - 2) : local;
}

/* ---- mailbox ---- */

static bool
check_mail_address_parts(const struct mail_address *a, const char **why_out)
{
	if (a->local.n > MAIL_ADDRESS_LOCAL_MAX)
		return refuse_mail_address(why_out, "local part longer than 64 octets");
	if (a->domain.n > MAIL_ADDRESS_DOMAIN_MAX)
		return refuse_mail_address(why_out, "domain longer than 255 octets");
	if (!is_clean_utf8(a->text))
		return refuse_mail_address(why_out, "not well-formed UTF-8");
	if (!is_dot_string(a->local) && (a->local.n == 0 || quoted_bytes(a->local) != a->local.n))
		return refuse_mail_address(why_out, "malformed local part");
	if (a->is_literal ? !mail_address_is_literal(a->domain)
	                  : !mail_address_is_domain(a->domain))
		return refuse_mail_address(
		    why_out, a->is_literal ? "malformed address literal" : "malformed domain");
	return true;
}

bool
mail_address_parse(struct str text, struct mail_address *out, const char **why_out)
{
	size_t at = quoted_bytes(text);

	*out = (struct mail_address){.text = text};
	if (text.n == 0)
		return refuse_mail_address(why_out, "empty address");
	if (at == 0)
		at = str_find(text, '@');
	if (at >= text.n || text.p[at] != '@')
		return refuse_mail_address(why_out, "not of the form local-part@domain");
	out->local = str_upto(text, at);
	out->domain = str_from(text, at + 1);
	out->is_literal = out->domain.n && out->domain.p[0] == '[';
	out->is_utf8 = !str_is_ascii(text);
	return check_mail_address_parts(out, why_out);
}

bool
mail_address_is_storable(struct str text)
{
	struct mail_address a;
	size_t at;

	if (mail_address_parse(text, &a, NULL))
		return true;
	at = str_rfind(text, '@');
	if (at == 0 || at > MAIL_ADDRESS_LOCAL_MAX ||
	    !mail_address_is_domain(str_from(text, at + 1)))
		return false;
	for (size_t i = 0; i < at; i++)
		if (!mail_address_is_atext(text.p[i]) && text.p[i] != '.')
			return false;
	return is_clean_utf8(text);
}

/* ---- paths ---- */

/* Index of the ">" that ends the path whose inside is at the front of s; quoted strings are
 * skipped. */
static size_t
path_end(struct str s)
{
	bool is_quoted = false;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			is_quoted = !is_quoted;
		else if (is_quoted && s.p[i] == '\\')
			i++;
		else if (!is_quoted && s.p[i] == '>')
			return i;
	}
	return s.n;
}

/* Takes "@x,@y:" off the front of *inside; every hop must be a domain. */
static bool
drop_source_route(struct str *inside)
{
	size_t colon = str_find(*inside, ':');
	struct str route = str_upto(*inside, colon), hop;

	if (colon == inside->n)
		return false;
	while (str_split(&route, ',', &hop))
		if (!str_starts(hop, STR("@")) || !mail_address_is_domain(str_from(hop, 1)))
			return false;
	*inside = str_from(*inside, colon + 1);
	return true;
}

static bool
path_inside(struct str inside, struct mail_address *out, const char **why_out)
{
	*out = (struct mail_address){.text = inside};
	if (inside.n == 0)
		return true;
	if (str_ieq(inside, STR("postmaster"))) {
		out->local = inside;
		return true;
	}
	if (inside.p[0] == '@' && !drop_source_route(&inside))
		return refuse_mail_address(why_out, "malformed source route");
	return mail_address_parse(inside, out, why_out);
}

bool
mail_address_path(struct str *rest, struct mail_address *out, const char **why_out)
{
	struct str inside;
	size_t end;

	*out = (struct mail_address){0};
	if (!str_starts(*rest, STR("<")))
		return refuse_mail_address(why_out, "address not in angle brackets");
	inside = str_from(*rest, 1);
	end = path_end(inside);
	if (end == inside.n)
		return refuse_mail_address(why_out, "angle bracket or quote not closed");
	if (!path_inside(str_upto(inside, end), out, why_out))
		return false;
	*rest = str_from(inside, end + 1);
	return true;
}

/* ---- comparison ---- */

bool
mail_address_same(const struct mail_address *a, const struct mail_address *b)
{
	bool a_quoted, b_quoted, a_more, b_more;
	struct str x = local_part_inside(a->local, &a_quoted),
	           y = local_part_inside(b->local, &b_quoted);
	char c = 0, d = 0;

	if (!str_ieq(a->domain, b->domain))
		return false;
	do {
		a_more = next_local_part_octet(&x, a_quoted, &c);
		b_more = next_local_part_octet(&y, b_quoted, &d);
		if (a_more != b_more || (a_more && char_lower(c) != char_lower(d)))
			return false;
	} while (a_more);
	return true;
}
