/*
 * list_changes: the changes of a reload to one list, as text.
 */
#ifndef CONF_LIST_CHANGES_H
#define CONF_LIST_CHANGES_H

#include "conf/key.h"

/* Writes the changes of a list as text; secrets are compared, not shown. */
void conf_write_list_changes(const struct conf_key *list, const struct conf *before,
    const struct conf *after, struct buf *out);

#endif
