/*
 * explain: describes keys, for "config explain" and for sallyport.cfg(5).
 */
#ifndef CONF_EXPLAIN_H
#define CONF_EXPLAIN_H

#include "conf/key.h"

/* Describes a key: type, default, range, since, help; its value in `running`, and that in `file` if
 * it differs (both may be NULL).  Of a group: its keys.  False: neither exists. */
bool conf_explain(
    struct str key, const struct conf *running, const struct conf *file, struct buf *out);
/* The body of sallyport.cfg(5): every key as an mdoc list item, from the key table. */
void conf_write_mdoc(struct buf *out);

/* For every key, until one is added later. */
#define EXPLAIN_SINCE "0.1"
/* Writes "a duration, from 1s to 10m". */
void conf_explain_type(const struct conf_key *k, struct buf *out);

#endif
