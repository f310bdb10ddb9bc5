/*
 * scan: what libconfig 1.5 swallows without a word (numbers beyond 32 bits wrap, NUL cuts a text),
 * and the likely cause of its "syntax error".
 */
#ifndef CONF_SCAN_H
#define CONF_SCAN_H

#include "conf/notes.h"

/* False, and a note: libconfig must not see this; it loses memory over a text without an end. */
bool scan_values(const struct source *s, struct notes *notes);
/* libconfig stopped at this line and said this. */
void scan_syntax_error(const struct source *s, int line, const char *said, struct notes *notes);

#endif
