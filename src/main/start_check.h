/*
 * start_check: checks whether this host provides what a configuration needs.  It tries what a start
 * or a reload would do, and changes nothing.
 */
#ifndef MAIN_START_CHECK_H
#define MAIN_START_CHECK_H

#include "conf/conf.h"

/* Adds what is missing to the report: as an error where a start or a reload would fail. */
void start_check_report(const char *file, const struct conf *c, struct conf_report *report);

#endif
