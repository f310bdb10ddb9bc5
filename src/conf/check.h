/*
 * check: checks that concern several keys: keys that need, contradict or shadow one another.
 */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include "conf/parser.h"

/* Adds the errors and warnings. */
void conf_check(
    const struct conf *c, const struct conf_parse_tree *tree, struct diagnostics *diagnostics);
/* Adds warnings that `config check` shows, but not each start and reload. */
void conf_warn_ambiguous_logins(
    const struct conf *c, const struct conf_parse_tree *tree, struct diagnostics *diagnostics);

#endif
