/*
 * syntax_check: what libconfig swallows without a word (1.5: numbers beyond 32 bits wrap, NUL cuts
 * a text; 1.7: a comma before a closing bracket), and the likely cause of its "syntax error".
 */
#ifndef CONF_SYNTAX_CHECK_H
#define CONF_SYNTAX_CHECK_H

#include "conf/diagnostics.h"

/* False, and a note: libconfig must not see this; it loses memory over a text without an end, and
 * whether it takes a comma before a closing bracket depends on its version. */
bool syntax_check_values(const struct conf_source *s, struct diagnostics *notes);
/* The text that a key at the top is given, as it stands between the quotes, also where libconfig
 * would stop before it; empty: none that can be read.  After a text without its closing quote the
 * search goes on with the next line. */
struct str syntax_find_text(const struct conf_source *s, struct str name);
/* libconfig stopped at this line and said this. */
void syntax_explain_error(
    const struct conf_source *s, int line, const char *said, struct diagnostics *notes);

#endif
