/*
 * authserv: the name at the front of the value (RFC 8601 section 2.2) is a token or a quoted string
 * of RFC 2045, after comments. Only a name that every reader finds there is trusted.
 */
#include "mail/authserv.h"

#include "mail/header.h"

static bool
authserv_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Takes blanks, folding and comments off the front; false: a comment is not closed. */
static bool
authserv_skip(struct str *s)
{
	while (s->n > 0 && (authserv_is_blank(s->p[0]) || s->p[0] == '(')) {
		size_t n = s->p[0] == '(' ? header_comment_bytes(*s) : 1;

		if (n == 0)
			return false;
		*s = str_from(*s, n);
	}
	return true;
}

/* Up to an octet that may follow a token; that may be a control character, which is repaired
 * later. */
static struct str
authserv_token(struct str s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] > 32 && s.p[n] < 127 && !strchr("()<>@,;:\\\"/[]?=", s.p[n]))
		n++;
	return str_upto(s, n);
}

/* The name at the front; *rest_out: the part after it. */
static struct str
authserv_name(struct str s, struct str *rest_out)
{
	struct str inside, name;
	size_t end;

	if (!str_starts(s, STR("\""))) {
		name = authserv_token(s);
		*rest_out = str_from(s, name.n);
		return name;
	}
	inside = str_from(s, 1);
	end = str_find(inside, '"');
	*rest_out = str_from(inside, end + 1);
	name = str_trim(str_upto(inside, end));
	return end < inside.n && authserv_token(name).n == name.n ? name : STR_NULL;
}

/* Whether a complete name may end here. Control characters may follow too, because they are
 * repaired later; any other octet may be part of the name for another reader. */
static bool
authserv_is_end(struct str rest)
{
	unsigned char c = rest.n ? (unsigned char)rest.p[0] : ';';

	return c <= 32 || c == 127 || c == ';' || c == '(';
}

static struct str
authserv_without_dot(struct str name)
{
	return name.n && name.p[name.n - 1] == '.' ? str_upto(name, name.n - 1) : name;
}

bool
authserv_may_be(struct str body, struct str hostname)
{
	struct str name, rest;

	if (!authserv_skip(&body))
		return true;
	name = authserv_without_dot(authserv_name(body, &rest));
	return name.n == 0 || !authserv_is_end(rest) ||
	       str_ieq(name, authserv_without_dot(hostname));
}
