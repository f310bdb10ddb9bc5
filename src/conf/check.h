/*
 * check: what no single key can tell: keys that need, contradict or shadow one another.
 */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include "conf/parser.h"

void conf_check(
    const struct conf *c, const struct conf_parse_tree *tree, struct diagnostics *notes);
/* What is said to who checks a file, and not at each start and reload. */
void conf_warn_ambiguous_logins(
    const struct conf *c, const struct conf_parse_tree *tree, struct diagnostics *notes);

#endif
