/* dsn and detail: whatever strangers and a damaged disk put into them, a report is one message with
 * bounded lines, none of which a stranger began. */
#include <stdlib.h>

#include "base/mem.h"
#include "queue/last_attempt.h"
#include "queue/reports/dsn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str
fuzz_take_line(struct str *rest, size_t max)
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

/* It stands in the last line: a Message-ID that is referred to may look like one. */
static struct str
boundary_of(struct str header)
{
	static const char start[] = "\r\n\tboundary=\"";
	const char *at = memmem(header.p, header.n, start, sizeof start - 1);

	if (!at)
		abort();
	header = str_from(header, (size_t)(at - header.p) + sizeof start - 1);
	return str_upto(header, str_find(header, '"'));
}

/* Lines end in CRLF and are short; an ASCII report has no 8-bit byte and no NUL. */
static void
check_lines(struct str text, bool is_utf8)
{
	struct str line;

	if (str_has(text, '\0') || (!is_utf8 && !str_is_ascii(text)))
		abort();
	while (str_split(&text, '\n', &line))
		if (line.n ? line.n > 999 || str_find(line, '\r') != line.n - 1 : text.p != NULL)
			abort();
}

/* The boundary stands at the front of its lines and nowhere else; returns the parts. */
static unsigned
count_parts(struct str body, struct str boundary)
{
	struct str line;
	unsigned parts = 0, ends = 0;

	while (str_split(&body, '\n', &line)) {
		if (!line.n || !memmem(line.p, line.n, boundary.p, boundary.n))
			continue;
		if (!str_starts(line, STR("--")) || !str_starts(str_from(line, 2), boundary))
			abort();
		line = str_from(line, 2 + boundary.n);
		parts += str_eq(line, STR("\r"));
		ends += str_eq(line, STR("--\r"));
	}
	if (ends != 1)
		abort();
	return parts;
}

/* Up to the part that returns the message, which may hold anything: no stranger begins a field. */
static void
check_fields(struct str body, struct str boundary)
{
	struct str line;
	unsigned part = 0, recipients = 0, actions = 0;

	while (str_split(&body, '\n', &line) && part < 3) {
		part += memmem(line.p, line.n, boundary.p, boundary.n) != NULL;
		recipients += part == 2 && str_istarts(line, STR("Final-Recipient:"));
		actions += part == 2 && str_istarts(line, STR("Action:"));
		if (part < 3 && str_starts(line, STR("X-Stranger")))
			abort();
	}
	if (recipients != 1 || actions != 1)
		abort();
}

static void
check_report(const struct dsn_report *r)
{
	struct str body = buf_str(&r->body), boundary = boundary_of(buf_str(&r->header));
	unsigned parts = count_parts(body, boundary);

	check_lines(buf_str(&r->header), r->envelope.smtputf8);
	check_lines(body, r->envelope.smtputf8);
	if (parts != 2 && parts != 3)
		abort();
	check_fields(body, boundary);
}

static void
check_detail(struct str in)
{
	struct last_attempt d, again;
	struct buf out;

	buf_init(&out, 512);
	last_attempt_decode(in, &d);
	last_attempt_encode(&d, &out);
	if (!buf_ok(&out))
		abort();
	last_attempt_decode(buf_str(&out), &again);
	if (again.status.code != d.status.code ||
	    !str_eq(again.host, str_make(d.host.p, again.host.n)))
		abort();
	buf_clear(&out);
}

static struct dsn_item
take_item(struct str *rest)
{
	struct dsn_item item = {.number = 1};

	item.action = (enum dsn_action)(rest->n % DSN_ACTIONS);
	item.is_expired = item.action == DSN_FAILED && (rest->n & 8);
	item.host = fuzz_take_line(rest, 255);
	item.address = fuzz_take_line(rest, 64);
	item.status = smtp_status_remote(rest->n & 1 ? 550 : 450, fuzz_take_line(rest, 510));
	item.status.is_remote = rest->n & 2;
	return item;
}

/* Addresses were checked when they came: what cannot stand in them is not tried. */
static struct str
take_sender(struct str *rest)
{
	struct str s = fuzz_take_line(rest, 320);

	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20)
			return STR("a@b");
	return str_is_utf8(s) ? s : STR("a@b");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_make((const char *)data, size);
	struct envelope_recipient recipient = {0};
	struct envelope e = {.id = {12345, 1}, .recipients = &recipient, .recipient_count = 1};
	struct dsn_item item;
	struct dsn d = {.envelope = &e, .items = &item, .count = 1,
	    .hostname = STR("gw.example.com"), .postmaster = STR("postmaster@example.com")};
	struct dsn_report report;

	check_detail(rest);
	e.sender = take_sender(&rest);
	e.envid = fuzz_take_line(&rest, 200);
	recipient.address = fuzz_take_line(&rest, 320);
	recipient.orcpt = fuzz_take_line(&rest, 500);
	item = take_item(&rest);
	d.is_brief = (rest.n & 12) == 12;
	e.kind = rest.n & 16 ? ENVELOPE_REPORT : ENVELOPE_MESSAGE;
	d.header = fuzz_take_line(&rest, 510);
	d.body = rest;
	d.has_body = !(rest.n & 4);
	if (dsn_compose(&d, &report) != 1)
		abort();
	if (size < 40000 && (!buf_ok(&report.body) || !buf_ok(&report.header)))
		abort();
	if (size < 40000 && report.body.n + report.header.n > 131072)
		abort();
	if (buf_ok(&report.body) && buf_ok(&report.header))
		check_report(&report);
	dsn_clear(&report);
	return 0;
}
