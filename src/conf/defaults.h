/*
 * defaults: the tree that an empty file would make.
 */
#ifndef CONF_DEFAULTS_H
#define CONF_DEFAULTS_H

#include "conf/conf.h"

/* A tree with the defaults only. */
struct conf *conf_default(void);
/* postmaster@ the first domain; empty without one. */
struct str conf_default_postmaster(const struct conf *c, struct arena *arena);

#endif
