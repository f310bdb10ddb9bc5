/*
 * write: writes a whole tree.
 */
#ifndef CONF_WRITE_H
#define CONF_WRITE_H

#include "conf/conf.h"

/* The tree in the grammar of the file, only keys of `roles`, and only those that differ from their
 * default unless `all`; secrets as "***" unless with_secrets. */
void conf_write(const struct conf *c, unsigned roles, bool all, bool with_secrets, struct buf *out);

#endif
