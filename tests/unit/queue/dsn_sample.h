/* dsn_sample: one failed recipient of one message, which a test may change; and checks for every
 * report. */
#ifndef TESTS_UNIT_QUEUE_DSN_SAMPLE_H
#define TESTS_UNIT_QUEUE_DSN_SAMPLE_H

#include "queue/reports/dsn.h"

enum { BIG = 60000 };

#define DSN_NOW_MS INT64_C(1795000000000)

struct sample {
	struct envelope_recipient recipient;
	struct envelope envelope;
	struct dsn_item item;
	struct dsn dsn;
};

void sample(struct sample *s, const char *sender, const char *recipient);
bool dsn_has(const struct buf *b, const char *text);
/* Lines within RFC 5322's bounds, CRLF ended, without control characters, ASCII unless is_utf8. */
void dsn_check_lines(const struct buf *b, bool is_utf8);
/* The header can be parsed, all lines are right, and the boundary is only where it should be. */
void dsn_check_report(const struct dsn_report *r);

#endif
