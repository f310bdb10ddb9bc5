/*
 * syntax_check: what libconfig swallows without a word (1.5: numbers beyond 32 bits wrap, NUL cuts
 * a text; 1.7: a comma before a closing bracket), and the likely cause of its "syntax error".
 */
#ifndef CONF_SYNTAX_CHECK_H
#define CONF_SYNTAX_CHECK_H

#include "conf/diagnostics.h"

/* False, and a note: libconfig must not see this; it loses memory over a text without an end, and
 * whether it takes a comma before a closing bracket depends on its version. */
bool scan_values(const struct source *s, struct notes *notes);
/* The text that a key at the top is given, as it stands between the quotes, also where libconfig
 * would stop before it; empty: none that can be read.  After a text without its closing quote the
 * search goes on with the next line. */
struct str scan_find_text(const struct source *s, struct str name);
/* libconfig stopped at this line and said this. */
void scan_syntax_error(const struct source *s, int line, const char *said, struct notes *notes);

#endif
