/* routes: makes a configuration with these routes; otherwise the test fails. */
#ifndef UNIT_RELAY_ROUTES_H
#define UNIT_RELAY_ROUTES_H

#include <criterion/criterion.h>
#include <stdio.h>

#include "conf/conf.h"
#include "conf/read.h"

static inline struct conf *
routes_of(const char *routes)
{
	struct conf_report report;
	char text[1000];
	struct conf *c;

	conf_report_init(&report);
	snprintf(text, sizeof text, "hostname = \"gw.example.com\";\n%s", routes);
	c = conf_read_text(str_of(text), &report);
	cr_assert_not_null(c, "%.*s", STR_ARG(buf_str(&report.text)));
	conf_report_clear(&report);
	return c;
}

#endif
