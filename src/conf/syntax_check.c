/*
 * syntax_check: two passes over the tokens.
 */
#include "conf/syntax_check.h"

#include <limits.h>
#include <stdint.h>

#include "conf/lexer.h"

/* A plain integer for libconfig's scanner, which truncates it to 32 bits. */
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
syntax_check_value(const struct lexer_token *t, struct diagnostics *diagnostics)
{
	if (t->kind == LEXER_WORD && is_wrapped_number(t->text))
		diagnostics_add(diagnostics, t->line, DIAGNOSTIC_ERROR,
		    "%.*s: the number is too large", STR_ARG(str_upto(t->text, 40)));
	if (t->kind == LEXER_TEXT && has_nul_escape(t->text))
		diagnostics_add(diagnostics, t->line, DIAGNOSTIC_ERROR,
		    "a text cannot hold a NUL byte (\\x00)");
}

static bool
is_mark(const struct lexer_token *t, const char *marks)
{
	return t->kind == LEXER_MARK && strchr(marks, t->text.p[0]);
}

/* A text that continues after the end of a line nearly always lacks its closing quote. */
static bool
syntax_skip_open_text(struct lexer *l, const struct lexer_token *t)
{
	size_t end = str_find(t->text, '\n');

	if ((t->kind != LEXER_TEXT && t->kind != LEXER_OPEN_TEXT) || end == t->text.n)
		return false;
	l->at = (size_t)(t->text.p - l->text.p) + end;
	return true;
}

struct str
syntax_find_text(const struct conf_source *s, struct str name)
{
	struct lexer_token before[2] = {{0}}, t;
	struct lexer l;

	lexer_init(&l, buf_str(&s->text));
	for (t = lexer_next(&l); t.kind != LEXER_END; t = lexer_next(&l)) {
		if (syntax_skip_open_text(&l, &t))
			continue;
		if (t.kind == LEXER_TEXT && is_mark(&before[1], "=:") &&
		    str_eq(before[0].text, name) && !str_has(t.text, '\\'))
			return str_make(t.text.p + 1, t.text.n - 2);
		before[0] = before[1];
		before[1] = t;
	}
	return STR_NULL;
}

/* "[ 1, ]": libconfig 1.5 refuses it, 1.7 accepts it; a file must mean the same for both. */
static bool
is_comma_before_end(const struct lexer_token *before, const struct lexer_token *t)
{
	return is_mark(before, ",") && is_mark(t, ")]");
}

bool
syntax_check_values(const struct conf_source *s, struct diagnostics *diagnostics)
{
	struct lexer_token before = {.kind = LEXER_MARK, .text = STR(";")}, t;
	struct lexer l;

	lexer_init(&l, buf_str(&s->text));
	for (t = lexer_next(&l); t.kind != LEXER_END && t.kind != LEXER_OPEN_TEXT;
	     t = lexer_next(&l)) {
		if (is_comma_before_end(&before, &t))
			break;
		syntax_check_value(&t, diagnostics);
		before = t;
	}
	if (t.kind != LEXER_END)
		syntax_explain_error(s, INT_MAX, "syntax error", diagnostics);
	return t.kind == LEXER_END;
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
is_bare_word(const struct lexer_token *t)
{
	return t->kind == LEXER_WORD && !char_is_digit(t->text.p[0]) && t->text.p[0] != '-' &&
	       t->text.p[0] != '+' && !str_ieq(t->text, STR("true")) &&
	       !str_ieq(t->text, STR("false"));
}

/* Why this token is wrong between these two; NULL: it is not. */
static const char *
find_token_error(
    const struct lexer_token *before, const struct lexer_token *t, const struct lexer_token *after)
{
	bool is_long = t->kind == LEXER_TEXT && str_has(t->text, '\n') && after->kind == LEXER_WORD;

	if (t->kind == LEXER_OPEN_TEXT || is_long)
		return "the text that begins here has no closing quote";
	if (is_comma_before_end(before, t))
		return "no comma may stand before a closing bracket";
	if (t->kind == LEXER_MARK && t->text.p[0] == '\'')
		return "a text stands in double quotes, not in single ones";
	if (t->kind == LEXER_WORD && is_amount(t->text))
		return "a number with a unit needs double quotes, for example \"5m\"";
	if (t->kind == LEXER_WORD && is_mark(after, "=:"))
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
add_duplicate_name_error(const struct conf_source *s, int line, struct diagnostics *diagnostics)
{
	struct lexer_token t, name = {0};
	struct lexer l;

	lexer_init(&l, buf_str(&s->text));
	for (t = lexer_next(&l); t.kind != LEXER_END && t.line <= line; t = lexer_next(&l))
		if (t.kind == LEXER_WORD && t.line == line && !name.text.n)
			name = t;
	diagnostics_add(diagnostics, line, DIAGNOSTIC_ERROR, "\"%.*s\" stands here a second time",
	    STR_ARG(str_upto(name.text, 64)));
}

void
syntax_explain_error(
    const struct conf_source *s, int line, const char *error, struct diagnostics *diagnostics)
{
	struct lexer_token before = {.kind = LEXER_MARK, .text = STR(";")}, t, after;
	struct lexer l;

	if (strstr(error, "duplicate")) {
		add_duplicate_name_error(s, line, diagnostics);
		return;
	}
	lexer_init(&l, buf_str(&s->text));
	t = lexer_next(&l);
	while (t.kind != LEXER_END && t.line <= line && strstr(error, "syntax")) {
		const char *why;

		after = lexer_next(&l);
		why = find_token_error(&before, &t, &after);
		if (why) {
			diagnostics_add(diagnostics, t.line, DIAGNOSTIC_ERROR, "%.*s: %s",
			    STR_ARG(str_upto(t.text, str_find(str_upto(t.text, 64), '\n'))), why);
			return;
		}
		before = t;
		t = after;
	}
	diagnostics_add(
	    diagnostics, line, DIAGNOSTIC_ERROR, "%s on this line or just before it", error);
}
