/*
 * systemd_unit: reads the installed systemd unit of the daemon with its drop-ins, and finds the
 * paths of a configuration that it hides from the daemon or makes read-only.
 */
#ifndef MAIN_SYSTEMD_UNIT_H
#define MAIN_SYSTEMD_UNIT_H

#include "conf/conf.h"

/* Adds a warning for each such path.  root is prepended to every path that is read ("" in use).
 * Nothing is reported where systemd does not run, or the unit is not installed. */
void systemd_unit_check(const char *root, const char *file, const struct conf *c,
    struct conf_report *report);

#endif
