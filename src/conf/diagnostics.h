/*
 * diagnostics: what is wrong with a file, collected in any order, told in the order of the file.
 */
#ifndef CONF_DIAGNOSTICS_H
#define CONF_DIAGNOSTICS_H

#include "conf/source_files.h"

enum diagnostic_kind { DIAGNOSTIC_ERROR, DIAGNOSTIC_WARNING };

struct diagnostic;

struct diagnostics {
	struct arena arena;
	struct diagnostic *list;
	size_t count;
	unsigned errors;
};

void diagnostics_init(struct diagnostics *n);
void diagnostics_clear(struct diagnostics *n);
/* line: of the source's text; 0: at its beginning. */
void diagnostics_add(struct diagnostics *n, int line, enum diagnostic_kind kind, const char *format,
    ...) __attribute__((format(printf, 4, 5)));
/* Adds all to the report, sorted. */
void diagnostics_report(
    struct diagnostics *n, const struct conf_source *s, struct conf_report *report);

#endif
