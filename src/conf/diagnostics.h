/*
 * diagnostics: errors and warnings of a file, collected in any order and reported in the order of
 * the file.
 */
#ifndef CONF_DIAGNOSTICS_H
#define CONF_DIAGNOSTICS_H

#include "conf/source_text.h"

enum diagnostic_kind { DIAGNOSTIC_ERROR, DIAGNOSTIC_WARNING };

struct diagnostic;

struct diagnostics {
	struct arena arena;
	struct diagnostic *list;
	size_t count;
	unsigned errors;
};

/* Prepares an empty list. */
void diagnostics_init(struct diagnostics *n);
/* Frees everything. */
void diagnostics_clear(struct diagnostics *n);
/* Adds one.  line: of the source's text; 0: the beginning. */
void diagnostics_add(struct diagnostics *n, int line, enum diagnostic_kind kind, const char *format,
    ...) __attribute__((format(printf, 4, 5)));
/* Adds all to the report, sorted by location. */
void diagnostics_report(
    struct diagnostics *n, const struct conf_source *s, struct conf_report *report);

#endif
