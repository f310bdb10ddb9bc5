/*
 * start_check: whether this host has what a configuration needs: what a start or a reload would try
 * is tried, and nothing is changed.
 */
#ifndef MAIN_START_CHECK_H
#define MAIN_START_CHECK_H

#include "conf/conf.h"

/* Adds what is missing to the report: an error where a start or a reload would refuse it. */
void start_check_report(const char *file, const struct conf *c, struct conf_report *report);

#endif
