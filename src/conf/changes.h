/*
 * changes: compares two trees key by key: what a reload changes, and what only a restart does.
 */
#ifndef CONF_CHANGES_H
#define CONF_CHANGES_H

#include "conf/conf.h"

/* A key whose values before and after differ. */
struct conf_change {
	const char *key;
	struct str before, after; /* in the grammar of the file; of a list empty */
	struct str groups;        /* of a list: 1 added ("x"), 2 changed ("y", "z") */
	bool needs_restart;
};
typedef void conf_change_fn(const struct conf_change *change, void *arg);
/* Calls fn for each changed key.  Secrets are compared, but their values are never passed. */
void conf_each_change(
    const struct conf *before, const struct conf *after, conf_change_fn *fn, void *arg);
/* One line: limits.per_user "300 recipients / 1h" -> "500 recipients / 1h". */
void conf_write_change(const struct conf_change *change, struct buf *out);
/* One line for each changed key. */
void conf_write_changes(const struct conf *before, const struct conf *after, struct buf *out);

/* Copies the keys that a reload does not change from `running` to c. */
void conf_copy_restart_keys(struct conf *c, const struct conf *running);

#endif
