/*
 * check: what no single key can tell: keys that need, contradict or shadow one another.
 */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include "conf/read.h"

void check_conf(const struct conf *c, const struct read_tree *tree, struct notes *notes);

#endif
