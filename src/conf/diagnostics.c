/*
 * diagnostics: bounded; a file with more mistakes than this is told the first ones.
 */
#include "conf/diagnostics.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { NOTES_MAX = 500, NOTE_BYTES = 512, NOTES_ARENA_MAX = 4 << 20 };

struct note {
	int line;
	size_t order;
	enum note_kind kind;
	struct str text;
};

void
notes_init(struct notes *n)
{
	*n = (struct notes){0};
	arena_init(&n->arena, NOTES_ARENA_MAX);
}

void
notes_clear(struct notes *n)
{
	arena_clear(&n->arena);
}

void
notes_add(struct notes *n, int line, enum note_kind kind, const char *format, ...)
{
	char text[NOTE_BYTES];
	va_list args;

	n->errors += kind == NOTE_ERROR;
	if (n->count == NOTES_MAX)
		return;
	if (!n->list)
		n->list = ARENA_ARRAY(&n->arena, struct note, NOTES_MAX);
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	/* what the file says goes to a terminal */
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	n->list[n->count] = (struct note){line, n->count, kind, arena_str(&n->arena, str_of(text))};
	n->count++;
}

static int
by_place(const void *a, const void *b)
{
	const struct note *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

void
notes_tell(struct notes *n, const struct source *s, struct conf_report *report)
{
	if (n->count)
		qsort(n->list, n->count, sizeof *n->list, by_place);
	for (size_t i = 0; i < n->count; i++) {
		const struct note *note = &n->list[i];
		struct source_place place = source_place(s, note->line);
		bool is_error = note->kind == NOTE_ERROR;

		buf_addf(&report->text, "%s:%d: %s: %s\n", place.file, place.line,
		    is_error ? "error" : "warning", note->text.p);
		report->errors += is_error;
		report->warnings += !is_error;
	}
}
