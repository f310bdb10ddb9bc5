/*
 * syntax_check: errors that libconfig does not report (1.5: numbers beyond 32 bits wrap, NUL cuts a
 * text; 1.7: a comma before a closing bracket), and the likely cause of its "syntax error".
 */
#ifndef CONF_SYNTAX_CHECK_H
#define CONF_SYNTAX_CHECK_H

#include "conf/diagnostics.h"

/* False, with an error: libconfig must not parse the text; it leaks memory for a text without an
 * end, and whether it accepts a comma before a closing bracket depends on its version. */
bool syntax_check_values(const struct conf_source *s, struct diagnostics *diagnostics);
/* The text value of a key at the top level, unchanged from between the quotes, also where libconfig
 * would stop before it; empty: there is none that can be read.  After a text without its closing
 * quote the search continues on the next line. */
struct str syntax_find_text(const struct conf_source *s, struct str name);
/* Adds an error for libconfig's message at this line, with the likely cause. */
void syntax_explain_error(
    const struct conf_source *s, int line, const char *error, struct diagnostics *diagnostics);

#endif
