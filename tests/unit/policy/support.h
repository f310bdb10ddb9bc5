/* support: makes a configuration from a text; otherwise the test fails. */
#ifndef TESTS_POLICY_SUPPORT_H
#define TESTS_POLICY_SUPPORT_H

#include <criterion/criterion.h>

#include "conf/conf.h"
#include "conf/read.h"

static inline struct conf *
conf_of(const char *text)
{
	struct conf_report report;
	struct conf *c;

	conf_report_init(&report);
	c = conf_read_text(str_of(text), &report);
	cr_assert(c, "%.*s", STR_ARG(buf_str(&report.text)));
	conf_report_clear(&report);
	return c;
}

#endif
