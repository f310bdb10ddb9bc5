/*
 * scan: what libconfig 1.5 swallows without a word (numbers beyond 32 bits wrap, NUL cuts a text),
 * and the likely cause of its "syntax error".
 */
#ifndef CONF_SCAN_H
#define CONF_SCAN_H

#include "conf/notes.h"

/* False, and a note: libconfig must not see this; it loses memory over a text without an end. */
bool scan_values(const struct source *s, struct notes *notes);
/* The text that a key at the top is given, as it stands between the quotes, also where libconfig
 * would stop before it; empty: none that can be read.  After a text without its closing quote the
 * search goes on with the next line. */
struct str scan_find_text(const struct source *s, struct str name);
/* libconfig stopped at this line and said this. */
void scan_syntax_error(const struct source *s, int line, const char *said, struct notes *notes);

#endif
