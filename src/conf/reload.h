/*
 * reload: what a reload reads, beside the configuration that runs.
 */
#ifndef CONF_RELOAD_H
#define CONF_RELOAD_H

#include "conf/conf.h"

/* As conf_read_file with CONF_SECRETS_READ: what `running` has found of the system's groups is not
 * looked up again. */
struct conf *conf_read_again(
    const char *path, const struct conf *running, struct conf_report *report);
/* What a reload does not change has in c what it has in `running`. */
void conf_copy_restart_keys(struct conf *c, const struct conf *running);

#endif
