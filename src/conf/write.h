/*
 * write: the tree as text, for conf's own files.
 */
#ifndef CONF_WRITE_H
#define CONF_WRITE_H

#include "conf/key.h"

/* Every default, in the file's grammar. */
void conf_write_defaults(struct buf *out);
/* A tree of nothing but defaults. */
struct conf *conf_default(void);
/* postmaster@ the first domain; empty without one. */
struct str conf_default_postmaster(const struct conf *c, struct arena *arena);
/* The value of a key of c that is no item's, in the grammar: lists with all their groups. */
void conf_write_value(const struct conf_key *k, const struct conf *c, unsigned roles,
    bool with_secrets, struct buf *out);

/* Of every key, until one is added later. */
#define EXPLAIN_SINCE "0.1"
/* "a duration, from 1s to 10m" */
void conf_explain_type(const struct conf_key *k, struct buf *out);

/* One group of a list. */
void conf_write_item(const struct conf_key *list, const void *item, unsigned roles,
    bool with_secrets, struct buf *out);
/* What of a list is another one after than before, in words; secrets are compared, not shown. */
void conf_write_list_changes(const struct conf_key *list, const struct conf *before,
    const struct conf *after, struct buf *out);

#endif
