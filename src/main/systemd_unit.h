/*
 * systemd_unit: the systemd unit of the daemon, as it is installed with its drop-ins: which paths
 * of a configuration it hides from the daemon, or does not let it write.
 */
#ifndef MAIN_SYSTEMD_UNIT_H
#define MAIN_SYSTEMD_UNIT_H

#include "conf/conf.h"

/* Warns of each such path.  root stands before every path that is read ("" in use).  Where systemd
 * does not run, or there is no such unit, nothing is said. */
void systemd_unit_check(const char *root, const char *file, const struct conf *c,
    struct conf_report *report);

#endif
