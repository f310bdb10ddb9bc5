/*
 * secret: passwords in files of their own.
 */
#ifndef CONF_SECRET_H
#define CONF_SECRET_H

#include "conf/parser.h"

/* Replaces "file:/path" and "credential:NAME" by the content.  A password in the configuration
 * itself is a warning if every user can read that file.  may_lack_credentials: see
 * CONF_SECRETS_READ_HERE. */
void conf_read_secrets(struct conf *c, const struct conf_parse_tree *tree,
    const struct conf_source *source, bool may_lack_credentials, struct diagnostics *diagnostics);

#endif
