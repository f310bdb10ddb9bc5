/*
 * own_rights: what a user who is not root lacks for a start with a configuration: directories that
 * it can neither use nor make, ports that it may not take, keys that it may not read.  All of it is
 * found at once, each with what to set instead.  It changes nothing.
 */
#ifndef MAIN_OWN_RIGHTS_H
#define MAIN_OWN_RIGHTS_H

#include "conf/conf.h"

/* One line without its end. */
typedef void own_rights_fn(const char *text, void *arg);

/* Calls on_lack for each thing that is lacking; returns their number.  For root: 0. */
unsigned own_rights_each_lack(const struct conf *c, own_rights_fn *on_lack, void *arg);

#endif
