/*
 * check: what no single key can tell: keys that need, contradict or shadow one another.
 */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include "conf/parser.h"

void check_conf(const struct conf *c, const struct read_tree *tree, struct notes *notes);
/* What is said to who checks a file, and not at each start and reload. */
void check_for_reader(const struct conf *c, const struct read_tree *tree, struct notes *notes);

#endif
