/*
 * write: the tree as text, for the files of conf.
 */
#ifndef CONF_WRITE_H
#define CONF_WRITE_H

#include "conf/key.h"

/* Writes every default in the grammar of the file. */
void conf_write_defaults(struct buf *out);
/* A tree with the defaults only. */
struct conf *conf_default(void);
/* postmaster@ the first domain; empty without one. */
struct str conf_default_postmaster(const struct conf *c, struct arena *arena);
/* Writes the value of a key of c (not of an item), in the grammar of the file: lists with all their
 * groups. */
void conf_write_value(const struct conf_key *k, const struct conf *c, unsigned roles,
    bool with_secrets, struct buf *out);

/* For every key, until one is added later. */
#define EXPLAIN_SINCE "0.1"
/* Writes "a duration, from 1s to 10m". */
void conf_explain_type(const struct conf_key *k, struct buf *out);

/* Writes one group of a list. */
void conf_write_item(const struct conf_key *list, const void *item, unsigned roles,
    bool with_secrets, struct buf *out);
/* Writes the changes of a list as text; secrets are compared, not shown. */
void conf_write_list_changes(const struct conf_key *list, const struct conf *before,
    const struct conf *after, struct buf *out);

#endif
