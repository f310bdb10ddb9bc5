/*
 * reload: reads the configuration for a reload, with the running configuration for reference.
 */
#ifndef CONF_RELOAD_H
#define CONF_RELOAD_H

#include "conf/conf.h"

/* Like conf_read_file with CONF_SECRETS_READ, but system groups that `running` has are not looked
 * up again. */
struct conf *conf_read_again(
    const char *path, const struct conf *running, struct conf_report *report);
/* Copies the keys that a reload does not change from `running` to c. */
void conf_copy_restart_keys(struct conf *c, const struct conf *running);

#endif
