/* dsn_sample: the parts of a report, and properties of every report. */
#include "dsn_sample.h"

#include "mail/header.h"
#include "support.h"

void
sample(struct sample *s, const char *sender, const char *recipient)
{
	*s = (struct sample){0};
	s->recipient.address = str_of(recipient);
	s->envelope = (struct envelope){.id = {0x123456789abcdef, 7},
	    .arrival_ms = DSN_NOW_MS - 3600000,
	    .user = STR("alice@example.com"),
	    .sender = str_of(sender),
	    .recipients = &s->recipient,
	    .recipient_count = 1,
	    .header_bytes = 100,
	    .body_bytes = 100};
	s->item = (struct dsn_item){.number = 1,
	    .status = smtp_status_remote(550, STR("5.1.1 No such user")),
	    .host = STR("mx.example.net"),
	    .address = STR("192.0.2.25"),
	    .at_ms = DSN_NOW_MS};
	s->dsn = (struct dsn){.envelope = &s->envelope,
	    .items = &s->item,
	    .count = 1,
	    .header = STR("From: alice@example.com\r\nMessage-ID: <m1@laptop>\r\n"),
	    .body = STR("Hello\r\n"),
	    .has_body = true,
	    .hostname = STR("gw.example.com"),
	    .postmaster = STR("postmaster@example.com"),
	    .retry_until_ms = DSN_NOW_MS + 86400000,
	    .now_ms = DSN_NOW_MS};
}

bool
dsn_has(const struct buf *b, const char *text)
{
	return b->n && memmem(b->p, b->n, text, strlen(text)) != NULL;
}

static void
check_each_line(const struct buf *b)
{	struct str rest = buf_str(b), line;

	while (str_split(&rest, '\n', &line)) {
		if (line.n == 0)
			continue;
		cr_assert_eq(line.p[line.n - 1], '\r');
		cr_assert_leq(line.n, 999, "%.*s", (int)line.n, line.p);
		for (size_t i = 0; i + 1 < line.n; i++)
			cr_assert((unsigned char)line.p[i] >= 0x20 || line.p[i] == '\t');
	}
}

/* Every line of a report is within RFC 5322's bounds, CRLF ended, without control characters, and
 * ASCII where the report says so. */
void
dsn_check_lines(const struct buf *b, bool is_utf8)
{
	cr_assert(is_utf8 || str_is_ascii(buf_str(b)), "%.*s", (int)b->n, b->p);
	check_each_line(b);
}

/* Three parts, or two when the original is lost, and the boundary nowhere else. */
static void
check_boundary(const struct dsn_report *r)
{
	struct str head = buf_str(&r->header), rest = buf_str(&r->body), line, boundary;
	const char *at = memmem(head.p, head.n, "boundary=\"", 10);
	unsigned parts = 0, ends = 0, hits = 0;

	cr_assert(at);
	boundary = str_from(head, (size_t)(at - head.p) + 10);
	boundary = str_upto(boundary, str_find(boundary, '"'));
	while (str_split(&rest, '\n', &line)) {
		bool is_here = line.n && memmem(line.p, line.n, boundary.p, boundary.n);

		hits += is_here;
		if (!is_here || !str_starts(line, STR("--")))
			continue;
		cr_assert(str_starts(str_from(line, 2), boundary));
		line = str_from(line, 2 + boundary.n);
		parts += str_eq(line, STR("\r"));
		ends += str_eq(line, STR("--\r"));
	}
	cr_assert_eq(hits, parts + ends);
	cr_assert_eq(ends, 1);
	cr_assert(parts == 3 || parts == 2);
}

void
dsn_check_report(const struct dsn_report *r)
{
	struct arena arena;
	struct header h;
	struct smtp_status s;

	arena_init(&arena, 1 << 20);
	s = header_parse(buf_str(&r->header), &arena, &h);
	cr_assert_eq(s.code, 250, "%s", s.text);
	cr_assert_eq(header_count(&h, "From"), 1);
	cr_assert_eq(header_count(&h, "To"), 1);
	cr_assert_eq(header_count(&h, "Bcc"), 0);
	arena_clear(&arena);
	dsn_check_lines(&r->header, r->envelope.smtputf8);
	dsn_check_lines(&r->body, r->envelope.smtputf8);
	if (!r->envelope.smtputf8)
		cr_assert_eq(r->envelope.body, BODY_7BIT);
	check_boundary(r);
	cr_assert(buf_ok(&r->header) && buf_ok(&r->body));
	cr_assert_leq(r->header.n + r->body.n, 131072);
}
