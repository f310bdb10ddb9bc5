/*
 * write: the tree as text, for conf's own files.
 */
#ifndef CONF_WRITE_H
#define CONF_WRITE_H

#include "conf/key.h"

/* Every default, in the file's grammar. */
void write_defaults(struct buf *out);
/* A tree of nothing but defaults. */
struct conf *conf_default(void);
/* postmaster@ the first domain; empty without one. */
struct str conf_default_postmaster(const struct conf *c, struct arena *arena);
/* The value of a key of c that is no item's, in the grammar: lists with all their groups. */
void write_value(
    const struct key *k, const struct conf *c, unsigned roles, bool with_secrets, struct buf *out);

#endif
