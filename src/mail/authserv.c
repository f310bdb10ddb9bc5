/*
 * authserv: the name at the front of the value (RFC 8601 section 2.2): a token or a quoted string
 * of RFC 2045, behind comments.  Only a name that every reader finds there is believed.
 */
#include "mail/authserv.h"

#include "mail/header.h"

static bool
authserv_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Takes blanks, folding and comments off the front; false: a comment does not end. */
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

/* Up to what may follow a token, which may be a control character that is mended later. */
static struct str
authserv_token(struct str s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] > 32 && s.p[n] < 127 && !strchr("()<>@,;:\\\"/[]?=", s.p[n]))
		n++;
	return str_upto(s, n);
}

static struct str
authserv_name(struct str s)
{
	struct str inside;
	size_t end;

	if (!str_starts(s, STR("\"")))
		return authserv_token(s);
	inside = str_from(s, 1);
	end = str_find(inside, '"');
	inside = str_trim(str_upto(inside, end));
	return end + 1 < s.n && authserv_token(inside).n == inside.n ? inside : STR_NULL;
}

bool
authserv_may_be(struct str body, struct str hostname)
{
	struct str name;

	if (!authserv_skip(&body))
		return true;
	name = authserv_name(body);
	return name.n == 0 || str_ieq(name, hostname);
}
