/* routes: makes a configuration with these routes, and decides by it as the queue does; otherwise
 * the test fails. */
#ifndef UNIT_RELAY_ROUTES_H
#define UNIT_RELAY_ROUTES_H

#include <criterion/criterion.h>
#include <stdio.h>

#include "conf/conf.h"
#include "conf/read.h"
#include "relay/resolved_destination.h"

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

enum { NEXT_HOP_ROOM = 1000 };

static inline struct str
next_hop_text(const struct conf *c, struct str domain, char out[NEXT_HOP_ROOM])
{
	struct destination to;
	char room[IDN_BYTES];
	struct buf text;
	struct str found;

	destination_decide(c, domain, room, &to);
	buf_init(&text, NEXT_HOP_ROOM);
	destination_format(&to, &text);
	cr_assert(buf_ok(&text));
	memcpy(out, text.p, text.n);
	found = str_make(out, text.n);
	buf_clear(&text);
	return found;
}

/* The texts of *d are in room. */
static inline enum resolved_need
begin_domain(struct resolved_destination *d, const struct conf *c, struct str domain,
    char room[NEXT_HOP_ROOM])
{
	char text[NEXT_HOP_ROOM];

	return resolved_begin(d, next_hop_text(c, domain, text), room);
}

#endif
