/*
 * secret: passwords that stand in files of their own.
 */
#ifndef CONF_SECRET_H
#define CONF_SECRET_H

#include "conf/read.h"

/* Replaces "file:/path" and "credential:NAME" by what is in there. */
void secret_read_all(struct conf *c, const struct read_tree *tree, struct notes *notes);

#endif
