/*
 * header_address: the address lists of RFC 5322 section 3.4, with the obsolete forms of section 4.4
 * that readers still understand. Input that two programs might read differently (an address before
 * an angle bracket, two angle brackets, an encoded word as local part) does not parse: forged From
 * fields use such differences. The list is parsed twice, first only to count, so that the memory is
 * exact.
 */
#include "mail/header.h"

enum { NESTING_MAX = 64 };

struct header_address_reader {
	struct str in;
	size_t at;
	struct arena *arena;
	struct header_address *out; /* NULL: count only */
	size_t count;
};

/* ---- octets ---- */

static bool
header_is_white_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
header_is_atext(char c)
{
	return char_is_alpha(c) || char_is_digit(c) || (unsigned char)c >= 0x80 ||
	    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* No control characters but TAB, and CRLF only where it folds. */
static bool
is_clean_header_body(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\r') {
			if (i + 2 >= s.n || s.p[i + 1] != '\n' ||
			    (s.p[i + 2] != ' ' && s.p[i + 2] != '\t'))
				return false;
			i += 2;
		} else if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f) {
			return false;
		}
	}
	return true;
}

static char
peek_header_octet(const struct header_address_reader *r)
{
	return r->at < r->in.n ? r->in.p[r->at] : '\0';
}

static bool
take_header_octet(struct header_address_reader *r, char c)
{
	if (r->at == r->in.n || r->in.p[r->at] != c)
		return false;
	r->at++;
	return true;
}

/* A backslash and the octet it quotes, which may not be folding. */
static bool
take_quoted_pair(struct header_address_reader *r)
{
	r->at++;
	if (r->at == r->in.n || (header_is_white_space(r->in.p[r->at]) && r->in.p[r->at] != ' '))
		return false;
	r->at++;
	return true;
}

/* ---- comments, words ---- */

static bool
skip_comment(struct header_address_reader *r)
{
	int depth = 0;

	while (r->at < r->in.n) {
		char c = r->in.p[r->at];

		if (c == '\\') {
			if (!take_quoted_pair(r))
				return false;
			continue;
		}
		r->at++;
		if (c == '(' && ++depth > NESTING_MAX)
			return false;
		if (c == ')' && --depth == 0)
			return true;
	}
	return false;
}

/* Blanks, folding and comments; false: a comment is not closed. */
static bool
skip_cfws(struct header_address_reader *r)
{
	while (r->at < r->in.n) {
		if (header_is_white_space(r->in.p[r->at]))
			r->at++;
		else if (r->in.p[r->at] != '(')
			return true;
		else if (!skip_comment(r))
			return false;
	}
	return true;
}

static bool
take_quoted_string(struct header_address_reader *r)
{
	for (r->at++; r->at < r->in.n;) {
		char c = r->in.p[r->at];

		if (c == '\\') {
			if (!take_quoted_pair(r))
				return false;
			continue;
		}
		r->at++;
		if (c == '"')
			return true;
	}
	return false;
}

/* An atom or a quoted string. */
static bool
take_header_word(struct header_address_reader *r, struct str *out)
{
	size_t from = r->at;

	if (peek_header_octet(r) == '"') {
		if (!take_quoted_string(r))
			return false;
	} else {
		while (r->at < r->in.n && header_is_atext(r->in.p[r->at]))
			r->at++;
	}
	*out = str_make(r->in.p + from, r->at - from);
	return out->n > 0;
}

/* ---- addresses ---- */

/* The words before "@", "<", ":" or the end: a local part or a display name; which one, only the
 * next octet shows. */
struct header_words {
	size_t from, to;
	size_t count;
	bool is_local;  /* words with single dots between them: may be a local part */
	bool ends_dot;
	bool has_encoded;
	bool has_quoted_fold;
};

static bool
add_header_word(struct header_address_reader *r, struct header_words *w)
{
	struct str word;

	if (!take_header_word(r, &word))
		return false;
	if (w->count++ && !w->ends_dot)
		w->is_local = false;
	w->ends_dot = false;
	/* "=?" inside quotes too: some programs decode it there as well */
	if (memmem(word.p, word.n, "=?", 2))
		w->has_encoded = true;
	if (word.p[0] == '"' && str_has(word, '\n'))
		w->has_quoted_fold = true;
	w->to = r->at;
	return true;
}

static bool
take_header_words(struct header_address_reader *r, struct header_words *w)
{
	*w = (struct header_words){.is_local = true};
	if (!skip_cfws(r))
		return false;
	w->from = w->to = r->at;
	while (header_is_atext(peek_header_octet(r)) || peek_header_octet(r) == '"' ||
	       peek_header_octet(r) == '.') {
		if (take_header_octet(r, '.')) {
			if (w->count == 0 || w->ends_dot)
				w->is_local = false;
			w->ends_dot = true;
			w->to = r->at;
		} else if (!add_header_word(r, w)) {
			return false;
		}
		if (!skip_cfws(r))
			return false;
	}
	if (w->count == 0 || w->ends_dot)
		w->is_local = false;
	return true;
}

static bool
take_domain_literal(struct header_address_reader *r)
{
	for (r->at++; r->at < r->in.n; r->at++) {
		char c = r->in.p[r->at];

		if (c == ']')
			return r->at++, true;
		if (!char_is_alpha(c) && !char_is_digit(c) && c != '.' && c != ':' && c != '-')
			return false;
	}
	return false;
}

/* A literal, or atoms with dots between them; *end_out: after its last octet. Blanks and comments
 * after it are taken too. */
static bool
take_header_domain(struct header_address_reader *r, size_t *end_out)
{
	struct str label;

	if (!skip_cfws(r))
		return false;
	if (peek_header_octet(r) == '[') {
		if (!take_domain_literal(r))
			return false;
		*end_out = r->at;
		return skip_cfws(r);
	}
	do {
		if (!skip_cfws(r) || peek_header_octet(r) == '"' || !take_header_word(r, &label))
			return false;
		*end_out = r->at;
		if (!skip_cfws(r))
			return false;
	} while (take_header_octet(r, '.'));
	return true;
}

/* in[from, to) without blanks and comments, which are well-formed. */
static struct str
without_comments(struct header_address_reader *r, size_t from, size_t to)
{
	struct header_address_reader inner = {.in = str_upto(r->in, to), .at = from};
	char *p = arena_new(r->arena, to - from);
	size_t n = 0;

	while (skip_cfws(&inner) && inner.at < to) {
		size_t at = inner.at++;

		if (r->in.p[at] == '"') {
			inner.at = at;
			if (!take_quoted_string(&inner))
				break;
		}
		memcpy(p + n, r->in.p + at, inner.at - at);
		n += inner.at - at;
	}
	return str_make(p, n);
}

static bool
add_header_address(struct header_address_reader *r, size_t from, size_t to)
{
	struct header_address *a;

	if (r->count == HEADER_ADDRESSES_MAX)
		return false;
	r->count++;
	if (!r->out)
		return true;
	a = &r->out[r->count - 1];
	a->at = from;
	a->n = to - from;
	a->text = without_comments(r, from, to);
	a->is_simple = a->text.n == a->n;
	return true;
}

/* Folding inside a quoted local part would become part of the text. */
static bool
is_local_part(const struct header_words *w)
{
	return w->is_local && !w->has_encoded && !w->has_quoted_fold;
}

/* The rest after the local part; without "@" the address has no domain. */
static bool
finish_header_address(struct header_address_reader *r, const struct header_words *w)
{
	size_t end = w->to;

	if (!is_local_part(w))
		return false;
	if (take_header_octet(r, '@') && !take_header_domain(r, &end))
		return false;
	return add_header_address(r, w->from, end);
}

/* "@a,@b:" in angle brackets is ignored. */
static bool
skip_obs_route(struct header_address_reader *r)
{
	size_t end;

	while (take_header_octet(r, '@') || take_header_octet(r, ',')) {
		if (r->in.p[r->at - 1] == '@' && !take_header_domain(r, &end))
			return false;
		if (!skip_cfws(r))
			return false;
	}
	return take_header_octet(r, ':');
}

static bool
take_angle_addr(struct header_address_reader *r)
{
	struct header_words w;

	if (!skip_cfws(r) || (peek_header_octet(r) == '@' && !skip_obs_route(r)))
		return false;
	return take_header_words(r, &w) && finish_header_address(r, &w) &&
	       take_header_octet(r, '>') && skip_cfws(r);
}

static bool
is_at_address_end(const struct header_address_reader *r, bool in_group)
{
	return r->at == r->in.n || peek_header_octet(r) == ',' ||
	       (in_group && peek_header_octet(r) == ';');
}

/* A mailbox, or nothing (obsolete lists have empty elements). */
static bool
take_mailbox(struct header_address_reader *r, const struct header_words *w, bool in_group)
{
	bool ok;

	if (take_header_octet(r, '<'))
		ok = (w->to == w->from || r->in.p[w->from] != '.') && take_angle_addr(r);
	else if (w->to == w->from)
		ok = true;
	else
		ok = finish_header_address(r, w);
	return ok && is_at_address_end(r, in_group);
}

static bool
take_address_group(struct header_address_reader *r)
{
	struct header_words w;

	do {
		if (!take_header_words(r, &w) || !take_mailbox(r, &w, true))
			return false;
	} while (take_header_octet(r, ','));
	return take_header_octet(r, ';') && skip_cfws(r) && is_at_address_end(r, false);
}

static bool
take_address_list(struct header_address_reader *r)
{
	struct header_words w;

	do {
		if (!take_header_words(r, &w))
			return false;
		if (w.count && take_header_octet(r, ':')) {
			if (!take_address_group(r))
				return false;
		} else if (!take_mailbox(r, &w, false)) {
			return false;
		}
	} while (take_header_octet(r, ','));
	return r->at == r->in.n;
}

bool
header_addresses(struct str body, struct arena *arena, struct header_address **out,
    size_t *count_out)
{
	struct header_address_reader r = {.in = body, .arena = arena};

	*out = NULL;
	*count_out = 0;
	if (!is_clean_header_body(body) || !take_address_list(&r))
		return false;
	*count_out = r.count;
	r.out = *out = ARENA_ARRAY(arena, struct header_address, r.count);
	r.at = r.count = 0;
	return take_address_list(&r);
}
