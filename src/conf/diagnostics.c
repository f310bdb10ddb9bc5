/*
 * diagnostics: the list is limited; of a file with more errors the first ones are reported.
 */
#include "conf/diagnostics.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { DIAGNOSTICS_MAX = 500, DIAGNOSTIC_BYTES = 512, DIAGNOSTICS_ARENA_MAX = 4 << 20 };

struct diagnostic {
	int line;
	size_t order;
	enum diagnostic_kind kind;
	struct str text;
};

void
diagnostics_init(struct diagnostics *n)
{
	*n = (struct diagnostics){0};
	arena_init(&n->arena, DIAGNOSTICS_ARENA_MAX);
}

void
diagnostics_clear(struct diagnostics *n)
{
	arena_clear(&n->arena);
}

void
diagnostics_add(struct diagnostics *n, int line, enum diagnostic_kind kind, const char *format, ...)
{
	char text[DIAGNOSTIC_BYTES];
	va_list args;

	n->errors += kind == DIAGNOSTIC_ERROR;
	if (n->count == DIAGNOSTICS_MAX)
		return;
	if (!n->list)
		n->list = ARENA_ARRAY(&n->arena, struct diagnostic, DIAGNOSTICS_MAX);
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	/* text of the file is written to a terminal: no control characters */
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	n->list[n->count] =
	    (struct diagnostic){line, n->count, kind, arena_str(&n->arena, str_of(text))};
	n->count++;
}

static int
compare_diagnostics(const void *a, const void *b)
{
	const struct diagnostic *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

void
diagnostics_report(struct diagnostics *n, const struct conf_source *s, struct conf_report *report)
{
	if (n->count)
		qsort(n->list, n->count, sizeof *n->list, compare_diagnostics);
	for (size_t i = 0; i < n->count; i++) {
		const struct diagnostic *diagnostic = &n->list[i];
		struct conf_source_location place = conf_source_location(s, diagnostic->line);
		bool is_error = diagnostic->kind == DIAGNOSTIC_ERROR;

		buf_addf(&report->text, "%s:%d: %s: %s\n", place.file, place.line,
		    is_error ? "error" : "warning", diagnostic->text.p);
		report->errors += is_error;
		report->warnings += !is_error;
	}
}
