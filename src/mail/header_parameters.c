/*
 * header_parameters: works on the text as written: parameters within ASCII are copied unchanged,
 * others are written in the extended form, never cut within a character. Where the extended form is
 * there already, the other one is left out. What cannot be changed safely, above all a boundary, is
 * refused with its reason.
 */
#include "mail/header_parameters.h"

enum {
	PARAMETER_NAME_MAX = 40, /* with the syntax around it, a character still fits on a line */
	PARAMETERS_MAX = 64,     /* beyond ASCII: for each one all names are compared */
};

struct header_parameter {
	struct str name, value; /* the value as written, with its quotation marks */
};

size_t
header_parameters_at(struct str body)
{
	bool is_quoted = false;
	unsigned depth = 0;
	size_t i = 0;

	for (; i < body.n && (body.p[i] != ';' || is_quoted || depth); i++) {
		if (body.p[i] == '\\')
			i++;
		else if (body.p[i] == '"' && depth == 0)
			is_quoted = !is_quoted;
		else if (body.p[i] == '(' && !is_quoted)
			depth++;
		else if (body.p[i] == ')' && !is_quoted && depth)
			depth--;
	}
	return i < body.n ? i : body.n;
}

static bool
parameter_take(struct str *rest, struct str *raw_out)
{
	if (rest->n == 0)
		return false;
	*raw_out = str_upto(*rest, 1 + header_parameters_at(str_from(*rest, 1)));
	*rest = str_from(*rest, raw_out->n);
	return true;
}

static struct header_parameter
parameter_read(struct str raw)
{
	size_t sign = str_find(raw, '=');

	return (struct header_parameter){.name = str_trim(str_make(raw.p + 1, sign ? sign - 1 : 0)),
	    .value = str_trim(str_from(raw, sign + 1))};
}

static bool
parameter_is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || strchr("()<>@,;:\\\"/[]?=*'%", s.p[i]))
			return false;
	return s.n > 0;
}

/* Whether v is a complete quoted string, or a word that needs no quotes. */
static bool
parameter_value_is_valid(struct str v)
{
	size_t i = 1;

	if (v.n == 0 || v.p[0] != '"') {
		for (i = 0; i < v.n; i++)
			if (strchr(" \t()<>@,;:\\\"/[]?=", v.p[i]))
				return false;
		return v.n > 0;
	}
	while (i < v.n && v.p[i] != '"')
		i += v.p[i] == '\\' ? 2 : 1;
	return i + 1 == v.n;
}

/* Whether "name*" or "name*0" is present as well. */
static bool
parameter_has_extended(struct str all, struct str name)
{
	struct str raw;

	while (parameter_take(&all, &raw)) {
		struct str other = parameter_read(raw).name;

		if (other.n > name.n && other.p[name.n] == '*' &&
		    str_ieq(str_upto(other, name.n), name))
			return true;
	}
	return false;
}

/* ---- RFC 2231 ---- */

static void
parameter_add_octet(struct buf *out, char c)
{
	if (char_is_alpha(c) || char_is_digit(c) || (c && strchr("-._", c)))
		buf_addc(out, c);
	else
		buf_addf(out, "%%%02X", (unsigned char)c);
}

/* Adds one complete character of *rest. */
static void
parameter_add_character(struct buf *out, struct str *rest)
{
	do {
		parameter_add_octet(out, rest->p[0]);
		*rest = str_from(*rest, 1);
	} while (rest->n && ((unsigned char)rest->p[0] & 0xc0) == 0x80);
}

/* Adds as much as fits on a line after a blank and before ";". */
static void
parameter_fill(struct buf *out, struct str *rest)
{
	while (rest->n) {
		struct str unfilled = *rest;
		size_t n = out->n;

		parameter_add_character(out, rest);
		if (out->n > FOLD_COLUMNS - 2) {
			out->n = n;
			*rest = unfilled;
			return;
		}
	}
}

static void
parameter_put(struct fold *f, struct str name, struct str value)
{
	struct str rest = value;
	struct buf line;

	buf_init(&line, 2 * FOLD_COLUMNS);
	buf_addf(&line, "%.*s*=utf-8''", STR_ARG(name));
	parameter_fill(&line, &rest);
	for (unsigned i = 0; i == 0 || rest.n; i++) {
		if (i == 0 && rest.n)
			rest = value;
		if (rest.n) {
			buf_reset(&line);
			buf_addf(&line, "%.*s*%u*=%s", STR_ARG(name), i, i ? "" : "utf-8''");
			parameter_fill(&line, &rest);
		}
		fold_text(f, STR("; "));
		fold_text(f, buf_str(&line));
	}
	buf_clear(&line);
}

static void
parameter_unquote(struct str value, struct buf *out)
{
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '"')
			continue;
		if (value.p[i] == '\\' && i + 1 < value.n)
			i++;
		buf_addc(out, value.p[i]);
	}
}

/* raw: from ";" on. */
static const char *
parameter_encode(struct fold *f, struct str raw, struct str all)
{
	struct header_parameter p = parameter_read(raw);
	struct buf plain;

	if (!parameter_is_token(p.name) || p.name.n > PARAMETER_NAME_MAX ||
	    !str_is_ascii(p.name) || !parameter_value_is_valid(p.value))
		return "a parameter that cannot be encoded";
	if (str_ieq(p.name, STR("boundary")))
		return "a boundary that is not ASCII";
	if (parameter_has_extended(all, p.name))
		return NULL;
	buf_init(&plain, p.value.n + 1);
	parameter_unquote(p.value, &plain);
	parameter_put(f, p.name, buf_str(&plain));
	buf_clear(&plain);
	return NULL;
}

const char *
header_parameters_encode(struct fold *f, struct str parameters)
{
	struct str rest = parameters, raw;
	const char *why = NULL;
	unsigned count = 0;

	while (!why && parameter_take(&rest, &raw)) {
		if (str_is_ascii(raw))
			fold_text(f, raw);
		else if (++count > PARAMETERS_MAX)
			why = "too many parameters that are not ASCII";
		else
			why = parameter_encode(f, raw, parameters);
	}
	return why;
}
