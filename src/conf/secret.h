/*
 * secret: passwords that stand in files of their own.
 */
#ifndef CONF_SECRET_H
#define CONF_SECRET_H

#include "conf/parser.h"
#include "conf/source_files.h"

/* Replaces "file:/path" and "credential:NAME" by what is in there.  A password that stands in the
 * configuration itself is warned of where everybody can read that file.  may_lack_credentials: as
 * CONF_SECRETS_READ_HERE says. */
void secret_read_all(struct conf *c, const struct read_tree *tree, const struct source *source,
    bool may_lack_credentials, struct notes *notes);

#endif
