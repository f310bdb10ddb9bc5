/*
 * diagnostics: what is wrong with a file, collected in any order, told in the order of the file.
 */
#ifndef CONF_DIAGNOSTICS_H
#define CONF_DIAGNOSTICS_H

#include "conf/source_files.h"

enum note_kind { NOTE_ERROR, NOTE_WARNING };

struct note;

struct notes {
	struct arena arena;
	struct note *list;
	size_t count;
	unsigned errors;
};

void notes_init(struct notes *n);
void notes_clear(struct notes *n);
/* line: of the source's text; 0: at its beginning. */
void notes_add(struct notes *n, int line, enum note_kind kind, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Adds all to the report, sorted. */
void notes_tell(struct notes *n, const struct source *s, struct conf_report *report);

#endif
