/* How the last attempt of a recipient is stored: whether a host sent the status is kept, and the
 * form of version 0.1.0 can still be read. */
#include "queue/last_attempt.h"

#include <criterion/criterion.h>

#include "spool/spool.h"

static void
round_trip(const struct smtp_status *status, struct last_attempt *out, struct buf *bytes)
{
	struct last_attempt d = {.status = *status,
	    .reason = STR("mailbox"),
	    .host = STR("mx1.example.net"),
	    .address = STR("192.0.2.25"),
	    .at_ms = 1234,
	    .found_ms = INT64_C(1795000000000)};

	buf_init(bytes, SPOOL_DETAIL_MAX);
	last_attempt_encode(&d, bytes);
	cr_assert(buf_ok(bytes));
	last_attempt_decode(buf_str(bytes), out);
}

Test(last_attempt, keeps_whether_a_host_sent_the_status)
{
	struct smtp_status theirs = smtp_status_remote(550, STR("5.1.1 no such user"));
	struct smtp_status ours = smtp_status_make(451, "4.4.1", "connection refused");
	struct buf bytes;
	struct last_attempt d;

	round_trip(&theirs, &d, &bytes);
	cr_expect(d.status.is_remote);
	cr_expect_eq(d.status.code, 550);
	cr_expect_str_eq(d.status.text, "no such user");
	buf_clear(&bytes);
	round_trip(&ours, &d, &bytes);
	cr_expect_not(d.status.is_remote);
	cr_expect_eq(d.at_ms, 1234);
	cr_expect_eq(d.found_ms, INT64_C(1795000000000));
	buf_clear(&bytes);
}

/* Without the byte of flags and the time at its end; then without the time. */
Test(last_attempt, of_version_0_1_0)
{
	struct smtp_status theirs = smtp_status_remote(550, STR("5.1.1 no such user"));
	struct buf bytes;
	struct last_attempt d;

	round_trip(&theirs, &d, &bytes);
	last_attempt_decode(str_upto(buf_str(&bytes), bytes.n - 8), &d);
	cr_expect(d.status.is_remote);
	cr_expect_eq(d.found_ms, 0);
	last_attempt_decode(str_upto(buf_str(&bytes), bytes.n - 9), &d);
	cr_expect_not(d.status.is_remote, "nobody knows");
	cr_expect_eq(d.status.code, 550);
	cr_expect_str_eq(d.status.text, "no such user");
	cr_expect(str_eq(d.host, STR("mx1.example.net")));
	buf_clear(&bytes);
}

Test(last_attempt, the_longest_fits)
{
	char text[600];
	struct last_attempt d = {.reason = str_make(text, 599),
	    .host = str_make(text, 599),
	    .address = str_make(text, 599)};
	struct buf bytes;

	memset(text, 'x', sizeof text);
	d.status = smtp_status_remote(550, str_make(text, 599));
	buf_init(&bytes, SPOOL_DETAIL_MAX);
	last_attempt_encode(&d, &bytes);
	cr_expect(buf_ok(&bytes));
	last_attempt_decode(buf_str(&bytes), &d);
	cr_expect(d.status.is_remote);
	buf_clear(&bytes);
}
