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
void conf_read_secrets(struct conf *c, const struct conf_parse_tree *tree,
    const struct conf_source *source, bool may_lack_credentials, struct diagnostics *notes);

#endif
