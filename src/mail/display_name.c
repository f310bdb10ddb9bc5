/*
 * display_name: the text between the addresses of a field is divided into names: the words before
 * an angle bracket, and each comment. A name is judged as it is shown: quotes removed, encoded
 * words decoded, and adjacent ones joined.
 */
#include "mail/display_name.h"

#include "mail/encoded_word.h"

/* The name that is being read. */
struct display_name_reader {
	const struct display_name *check;
	struct buf text;
	bool has_encoded;
	bool is_quoted;
	unsigned depth;  /* of comments */
	bool is_after_encoded; /* an encoded word was read last */
	bool needs_blank;      /* blanks were read since then; they count only when no encoded word
	                          follows */
	struct smtp_status status;
	struct str shown;
};

static bool
display_name_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
display_name_refuse(struct display_name_reader *n, const char *why)
{
	n->status =
	    smtp_status_make(554, "5.6.0", "%.*s header field: %s", STR_ARG(n->check->field), why);
}

/* ---- addresses in a name ---- */

/* Whether an octet may be part of an address as people read it. */
static bool
display_name_is_word(char c)
{
	return !display_name_is_blank(c) && !strchr("<>()[],;:\"@", c);
}

/* The word that ends at `end`, without quotation marks at its front. */
static struct str
display_name_word_before(struct str s, size_t end)
{
	size_t at = end;

	while (at > 0 && display_name_is_word(s.p[at - 1]))
		at--;
	while (at < end && strchr("'`", s.p[at]))
		at++;
	return str_make(s.p + at, end - at);
}

/* The word that begins at `at`, without punctuation at its end. */
static struct str
display_name_word_behind(struct str s, size_t at)
{
	size_t end = at;

	while (end < s.n && display_name_is_word(s.p[end]))
		end++;
	while (end > at && strchr("'`.!?", s.p[end - 1]))
		end--;
	return str_make(s.p + at, end - at);
}

/* The words around the "@" at s.p[at]. */
struct display_name_parts {
	struct str local, domain;
	bool has_blanks; /* there are blanks between them */
};

static struct display_name_parts
display_name_parts_at(struct str s, size_t at)
{
	size_t left = at, right = at + 1;
	struct display_name_parts a;

	while (left > 0 && display_name_is_blank(s.p[left - 1]))
		left--;
	while (right < s.n && display_name_is_blank(s.p[right]))
		right++;
	a.local = display_name_word_before(s, left);
	a.domain = display_name_word_behind(s, right);
	/* "sales"@example.com: the quote closes directly before the "@" */
	if (left == at && left > 0 && s.p[left - 1] == '"')
		a.local = str_make(s.p + left - 1, 1);
	a.has_blanks = left < at || right > at + 1;
	return a;
}

static void
display_name_check_address(struct display_name_reader *n, const struct display_name_parts *a)
{
	const struct display_name *c = n->check;
	struct str text =
	    arena_printf(c->arena, "%.*s@%.*s", STR_ARG(a->local), STR_ARG(a->domain));
	struct mail_address parsed;

	if (mail_address_parse(text, &parsed, NULL) && c->may(&parsed, c->may_arg))
		return;
	n->shown = text;
	n->status = smtp_status_make(550, "5.7.1", "%.*s may not use %.*s as a name in %.*s",
	    STR_ARG(c->user), STR_ARG(text), STR_ARG(c->field));
}

/* Programs that decode before they parse find an address wherever "@" is between two words. */
static void
display_name_check_encoded(struct display_name_reader *n, struct str s)
{
	if (str_has(s, '<') || str_has(s, '>'))
		display_name_refuse(n, n->has_encoded ?
		    "an encoded word that shows an angle bracket" :
		    "a name that is not ASCII and shows an angle bracket");
	for (size_t i = 0; i < s.n && n->status.code == 250; i++) {
		struct display_name_parts a;

		if (s.p[i] != '@')
			continue;
		a = display_name_parts_at(s, i);
		if (a.local.n && a.domain.n && (!a.has_blanks || str_has(a.domain, '.')))
			display_name_check_address(n, &a);
	}
}

/* Removes the punctuation that people and programs put around an address. */
static struct str
display_name_trim(struct str word)
{
	static const char punctuation[] = "'`\".,;:!?[](){}<>/|-";

	while (word.n && strchr(punctuation, word.p[word.n - 1]))
		word.n--;
	while (word.n && strchr(punctuation, word.p[0]))
		word = str_from(word, 1);
	if (str_istarts(word, STR("mailto:")))
		word = str_from(word, strlen("mailto:"));
	return word;
}

static bool
display_name_is_address(struct str word, struct display_name_parts *out)
{
	size_t at = str_find(word, '@');

	if (at >= word.n)
		return false;
	*out = display_name_parts_at(word, at);
	return out->local.n == at && out->local.n + 1 + out->domain.n == word.n &&
	       str_has(out->domain, '.');
}

/* Checks the words of s, if each of them is an address. */
static void
display_name_check_whole(struct display_name_reader *n, struct str s)
{
	struct display_name_parts a;
	struct str rest = s, word;

	while (str_split(&rest, ' ', &word))
		if (display_name_trim(word).n &&
		    !display_name_is_address(display_name_trim(word), &a))
			return;
	while (n->status.code == 250 && str_split(&s, ' ', &word))
		if (display_name_is_address(display_name_trim(word), &a))
			display_name_check_address(n, &a);
}

/* Checks the whole name, and each part between two angle brackets. */
static void
display_name_check_plain(struct display_name_reader *n, struct str s)
{
	display_name_check_whole(n, s);
	s = str_from(s, str_find(s, '<'));
	while (s.n && n->status.code == 250) {
		size_t end = 1;

		while (end < s.n && s.p[end] != '<' && s.p[end] != '>')
			end++;
		if (s.p[0] == '<')
			display_name_check_whole(n, str_make(s.p + 1, end - 1));
		s = str_from(s, end);
	}
}

/* ---- reading a name ---- */

static bool
display_name_has_encoded(struct str s)
{
	return s.n > 1 && memmem(s.p, s.n, "=?", 2);
}

static void
display_name_end(struct display_name_reader *n)
{
	struct str s = str_trim(buf_str(&n->text));

	for (size_t i = 0; i < s.n && n->status.code == 250; i++)
		if (header_control_bytes(str_from(s, i)))
			display_name_refuse(n, n->has_encoded ?
			    "an encoded word that shows a control character" :
			    "a name that shows a control character");
	if (n->status.code == 250 && !str_is_utf8(s))
		display_name_refuse(n, n->has_encoded ?
		    "an encoded word that is not well-formed UTF-8" :
		    "a name that is not well-formed UTF-8");
	/* some programs decode or unquote first, others as a whole */
	if (n->status.code == 250 && display_name_has_encoded(s))
		display_name_refuse(n, "a name that becomes an encoded word");
	/* relay makes an encoded word of a name that is not ASCII (header_to_ascii) */
	if (n->status.code == 250 && (n->has_encoded || !str_is_ascii(s)))
		display_name_check_encoded(n, s);
	else if (n->status.code == 250)
		display_name_check_plain(n, s);
	buf_reset(&n->text);
	n->has_encoded = n->is_after_encoded = n->needs_blank = false;
}

static void
display_name_add_octet(struct display_name_reader *n, char c)
{
	if (display_name_is_blank(c) && n->is_after_encoded) {
		n->needs_blank = true;
		return;
	}
	if (n->needs_blank)
		buf_addc(&n->text, ' ');
	n->needs_blank = n->is_after_encoded = false;
	buf_addc(&n->text, display_name_is_blank(c) ? ' ' : c);
}

static void
display_name_add_encoded(struct display_name_reader *n, struct str *rest)
{
	const char *why = encoded_word_take(rest, &n->text);

	if (why)
		display_name_refuse(n, why);
	n->has_encoded = n->is_after_encoded = true;
	n->needs_blank = false;
}

/* Whether c ends a name. Inside quotes nothing does; inside a comment only its parentheses do. */
static bool
display_name_is_end(struct display_name_reader *n, char c)
{
	if (n->is_quoted || !strchr("<>(),;:", c))
		return false;
	if (c == '(')
		n->depth++;
	else if (c == ')' && n->depth)
		n->depth--;
	else if (n->depth)
		return false;
	return true;
}

/* Takes one octet that is no encoded word: structure ends a name, quoting is removed. */
static void
display_name_take_octet(struct display_name_reader *n, struct str *rest)
{
	char c = rest->p[0];

	*rest = str_from(*rest, 1);
	if (c == '\\' && rest->n) {
		display_name_add_octet(n, rest->p[0]);
		*rest = str_from(*rest, 1);
	} else if (c == '"' && n->depth == 0) {
		n->is_quoted = !n->is_quoted;
	} else if (display_name_is_end(n, c)) {
		display_name_end(n);
	} else {
		display_name_add_octet(n, c);
	}
}

static void
display_name_take(struct display_name_reader *n, struct str rest)
{
	n->is_quoted = false;
	n->depth = 0;
	while (rest.n && n->status.code == 250) {
		if (str_starts(rest, STR("=?")))
			display_name_add_encoded(n, &rest);
		else
			display_name_take_octet(n, &rest);
	}
	if (n->status.code == 250)
		display_name_end(n);
}

struct smtp_status
display_name_check(const struct display_name *d, struct str body, const struct header_address *list,
    size_t count, struct str *shown_out)
{
	struct display_name_reader n = {.check = d, .status = {.code = 250}};
	size_t from = 0;

	buf_init(&n.text, 4 * body.n + 1);
	for (size_t i = 0; i < count && n.status.code == 250; i++) {
		display_name_take(&n, str_make(body.p + from, list[i].at - from));
		from = list[i].at + list[i].n;
	}
	if (n.status.code == 250)
		display_name_take(&n, str_from(body, from));
	buf_clear(&n.text);
	*shown_out = n.shown;
	return n.status;
}
