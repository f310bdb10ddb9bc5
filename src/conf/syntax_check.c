/*
 * syntax_check: two walks over the tokens.
 */
#include "conf/syntax_check.h"

#include <limits.h>
#include <stdint.h>

#include "conf/lexer.h"

/* What the scanner of libconfig takes for a plain integer and squeezes into 32 bits. */
static bool
is_wrapped_number(struct str word)
{
	uint64_t n = 0;
	bool is_hex;

	if (word.n && (word.p[0] == '-' || word.p[0] == '+'))
		word = str_from(word, 1);
	is_hex = str_istarts(word, STR("0x"));
	if (!is_hex && (!str_u64(word, &n) || n <= INT32_MAX)) {
		for (size_t i = 0; i < word.n; i++)
			if (!char_is_digit(word.p[i]))
				return false;
		return n > INT32_MAX || word.n > 19;
	}
	if (!is_hex)
		return true;
	word = str_from(word, 2);
	while (word.n && word.p[0] == '0')
		word = str_from(word, 1);
	if (word.n && (word.p[word.n - 1] == 'L'))
		return false;
	return word.n > 8 || (word.n == 8 && word.p[0] > '7');
}

static bool
has_nul_escape(struct str text)
{
	for (size_t i = 0; i + 3 < text.n; i++) {
		if (text.p[i] != '\\')
			continue;
		if (str_eq(str_upto(str_from(text, i), 4), STR("\\x00")))
			return true;
		i++;
	}
	return false;
}

static void
scan_value(const struct lex_token *t, struct notes *notes)
{
	if (t->kind == LEX_WORD && is_wrapped_number(t->text))
		notes_add(notes, t->line, NOTE_ERROR, "%.*s: the number is too large",
		    STR_ARG(str_upto(t->text, 40)));
	if (t->kind == LEX_TEXT && has_nul_escape(t->text))
		notes_add(notes, t->line, NOTE_ERROR, "a text cannot hold a NUL byte (\\x00)");
}

static bool
is_mark(const struct lex_token *t, const char *marks)
{
	return t->kind == LEX_MARK && strchr(marks, t->text.p[0]);
}

/* A text that goes on over a line's end has, nearly always, lost its quote. */
static bool
scan_skip_open_text(struct lex *l, const struct lex_token *t)
{
	size_t end = str_find(t->text, '\n');

	if ((t->kind != LEX_TEXT && t->kind != LEX_OPEN_TEXT) || end == t->text.n)
		return false;
	l->at = (size_t)(t->text.p - l->text.p) + end;
	return true;
}

struct str
scan_find_text(const struct source *s, struct str name)
{
	struct lex_token before[2] = {{0}}, t;
	struct lex l;

	lex_init(&l, buf_str(&s->text));
	for (t = lex_next(&l); t.kind != LEX_END; t = lex_next(&l)) {
		if (scan_skip_open_text(&l, &t))
			continue;
		if (t.kind == LEX_TEXT && is_mark(&before[1], "=:") &&
		    str_eq(before[0].text, name) && !str_has(t.text, '\\'))
			return str_make(t.text.p + 1, t.text.n - 2);
		before[0] = before[1];
		before[1] = t;
	}
	return STR_NULL;
}

/* "[ 1, ]": libconfig 1.5 refuses it, 1.7 takes it; a file must mean the same to both. */
static bool
is_comma_before_end(const struct lex_token *before, const struct lex_token *t)
{
	return is_mark(before, ",") && is_mark(t, ")]");
}

bool
scan_values(const struct source *s, struct notes *notes)
{
	struct lex_token before = {.kind = LEX_MARK, .text = STR(";")}, t;
	struct lex l;

	lex_init(&l, buf_str(&s->text));
	for (t = lex_next(&l); t.kind != LEX_END && t.kind != LEX_OPEN_TEXT; t = lex_next(&l)) {
		if (is_comma_before_end(&before, &t))
			break;
		scan_value(&t, notes);
		before = t;
	}
	if (t.kind != LEX_END)
		scan_syntax_error(s, INT_MAX, "syntax error", notes);
	return t.kind == LEX_END;
}

static bool
is_amount(struct str word)
{
	return word.n > 1 && char_is_digit(word.p[0]) && !str_istarts(word, STR("0x")) &&
	       !str_has(word, '.') &&
	       (char_is_alpha(word.p[word.n - 1]) || word.p[word.n - 1] == '%') &&
	       word.p[word.n - 1] != 'L';
}

static bool
is_bare_word(const struct lex_token *t)
{
	return t->kind == LEX_WORD && !char_is_digit(t->text.p[0]) && t->text.p[0] != '-' &&
	       t->text.p[0] != '+' && !str_ieq(t->text, STR("true")) &&
	       !str_ieq(t->text, STR("false"));
}

/* Why this token, between these two, cannot stand; NULL: it may. */
static const char *
fault(const struct lex_token *before, const struct lex_token *t, const struct lex_token *after)
{
	bool is_long = t->kind == LEX_TEXT && str_has(t->text, '\n') && after->kind == LEX_WORD;

	if (t->kind == LEX_OPEN_TEXT || is_long)
		return "the text that begins here has no closing quote";
	if (is_comma_before_end(before, t))
		return "no comma may stand before a closing bracket";
	if (t->kind == LEX_MARK && t->text.p[0] == '\'')
		return "a text stands in double quotes, not in single ones";
	if (t->kind == LEX_WORD && is_amount(t->text))
		return "a number with a unit needs double quotes, for example \"5m\"";
	if (t->kind == LEX_WORD && is_mark(after, "=:"))
		return str_has(t->text, '.')
		           ? "a name cannot hold a dot; a group is written auth: { … };"
		           : NULL;
	if (is_mark(before, "=:,([") && is_bare_word(t))
		return "this needs double quotes (or is it true or false?)";
	if (is_mark(t, "=:") && is_mark(after, ";,})]"))
		return "a value is missing";
	return NULL;
}

static void
tell_duplicate(const struct source *s, int line, struct notes *notes)
{
	struct lex_token t, name = {0};
	struct lex l;

	lex_init(&l, buf_str(&s->text));
	for (t = lex_next(&l); t.kind != LEX_END && t.line <= line; t = lex_next(&l))
		if (t.kind == LEX_WORD && t.line == line && !name.text.n)
			name = t;
	notes_add(notes, line, NOTE_ERROR, "\"%.*s\" stands here a second time",
	    STR_ARG(str_upto(name.text, 64)));
}

void
scan_syntax_error(const struct source *s, int line, const char *said, struct notes *notes)
{
	struct lex_token before = {.kind = LEX_MARK, .text = STR(";")}, t, after;
	struct lex l;

	if (strstr(said, "duplicate")) {
		tell_duplicate(s, line, notes);
		return;
	}
	lex_init(&l, buf_str(&s->text));
	t = lex_next(&l);
	while (t.kind != LEX_END && t.line <= line && strstr(said, "syntax")) {
		const char *why;

		after = lex_next(&l);
		why = fault(&before, &t, &after);
		if (why) {
			notes_add(notes, t.line, NOTE_ERROR, "%.*s: %s",
			    STR_ARG(str_upto(t.text, str_find(str_upto(t.text, 64), '\n'))), why);
			return;
		}
		before = t;
		t = after;
	}
	notes_add(notes, line, NOTE_ERROR, "%s on this line or just before it", said);
}
