/* dsn and detail: whatever strangers and a damaged disk put into them, a report is one message with
 * bounded lines, none of which a stranger began. */
#include <stdlib.h>

#include "base/mem.h"
#include "queue/detail.h"
#include "queue/dsn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str
take(struct str *rest, size_t max)
{
	size_t n = rest->n ? (unsigned char)rest->p[0] * 2u : 0;
	struct str s;

	if (rest->n == 0)
		return STR_NULL;
	*rest = str_from(*rest, 1);
	n = n < rest->n ? n : rest->n;
	n = n < max ? n : max;
	s = str_make(rest->p, n);
	*rest = str_from(*rest, n);
	return s;
}

/* Up to the part that returns the message, which may hold anything. */
static void
check_lines(struct str body)
{
	struct str line;
	unsigned fields = 0;

	while (str_split(&body, '\n', &line)) {
		if (line.n > 999 || (line.n && line.p[line.n - 1] != '\r'))
			abort();
		if (str_starts(line, STR("Final-Recipient:")) && ++fields > 1)
			abort();
		if (str_starts(line, STR("X-Stranger")))
			abort();
		if (str_starts(line, STR("Content-Type: message/rfc822")) ||
		    str_starts(line, STR("Content-Type: message/global\r")))
			return;
	}
}

static void
check_detail(struct str in)
{
	struct detail d, again;
	struct buf out;

	buf_init(&out, 512);
	detail_decode(in, &d);
	detail_encode(&d, &out);
	if (!buf_ok(&out))
		abort();
	detail_decode(buf_str(&out), &again);
	if (again.status.code != d.status.code ||
	    !str_eq(again.host, str_make(d.host.p, again.host.n)))
		abort();
	buf_clear(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_make((const char *)data, size);
	struct recipient recipient = {0};
	struct envelope e = {.id = {12345, 1}, .recipients = &recipient, .recipient_count = 1};
	struct dsn_failure f = {.number = 1};
	struct dsn d = {
	    .envelope = &e, .failures = &f, .count = 1, .hostname = STR("gw.example.com")};
	struct dsn_report report;

	check_detail(rest);
	e.sender = take(&rest, 320);
	if (memchr(e.sender.p ? e.sender.p : "", '\n', e.sender.n))
		e.sender = STR("a@b");
	e.envid = take(&rest, 200);
	recipient.address = take(&rest, 320);
	recipient.orcpt = take(&rest, 500);
	f.host = take(&rest, 255);
	f.address = take(&rest, 64);
	f.status = status_remote(rest.n & 1 ? 550 : 450, take(&rest, 510));
	f.is_expired = rest.n & 2;
	d.header = take(&rest, 400);
	d.body = rest;
	d.has_body = !(rest.n & 4);
	if (dsn_compose(&d, &report) != 1 || !buf_ok(&report.body) || !buf_ok(&report.header))
		abort();
	if (report.body.n + report.header.n > 131072 && size < 40000)
		abort();
	if (d.has_body)
		check_lines(buf_str(&report.body));
	dsn_clear(&report);
	return 0;
}
