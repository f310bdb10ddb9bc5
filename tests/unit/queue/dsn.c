/* dsn: who is told, and what the report says whatever was said to us. */
#include "queue/dsn.h"

#include "mail/header.h"
#include "support.h"

enum { BIG = 60000 };

static const int64_t now_ms = INT64_C(1795000000000);

struct sample {
	struct recipient recipient;
	struct envelope envelope;
	struct dsn_failure failure;
	struct dsn dsn;
};

static void
sample(struct sample *s, const char *sender, const char *recipient)
{
	*s = (struct sample){0};
	s->recipient.address = str_of(recipient);
	s->envelope = (struct envelope){.id = {0x123456789abcdef, 7},
	    .arrival_ms = now_ms - 3600000,
	    .user = STR("alice@example.com"),
	    .sender = str_of(sender),
	    .recipients = &s->recipient,
	    .recipient_count = 1,
	    .header_bytes = 100,
	    .body_bytes = 100};
	s->failure = (struct dsn_failure){.number = 1,
	    .status = status_make(550, "5.1.1", "No such user"),
	    .host = STR("mx.example.net"),
	    .address = STR("192.0.2.25"),
	    .at_ms = now_ms};
	s->dsn = (struct dsn){.envelope = &s->envelope,
	    .failures = &s->failure,
	    .count = 1,
	    .header = STR("From: alice@example.com\r\nMessage-ID: <m1@laptop>\r\n"),
	    .body = STR("Hello\r\n"),
	    .has_body = true,
	    .hostname = STR("gw.example.com"),
	    .now_ms = now_ms};
}

static bool
has(const struct buf *b, const char *text)
{
	return b->n && memmem(b->p, b->n, text, strlen(text)) != NULL;
}

/* Every line of a report is within RFC 5322's bounds, CRLF ended, without control characters. */
static void
check_lines(const struct buf *b)
{
	struct str rest = buf_str(b), line;

	while (str_split(&rest, '\n', &line)) {
		if (line.n == 0)
			continue;
		cr_assert_eq(line.p[line.n - 1], '\r');
		cr_assert_leq(line.n, 999);
		for (size_t i = 0; i + 1 < line.n; i++)
			cr_assert((unsigned char)line.p[i] >= 0x20 || line.p[i] == '\t');
	}
}

static void
check_report(const struct dsn_report *r)
{
	struct arena arena;
	struct header h;
	struct status s;

	arena_init(&arena, 1 << 20);
	s = header_parse(buf_str(&r->header), &arena, &h);
	cr_assert_eq(s.code, 250, "%s", s.text);
	cr_assert_eq(header_count(&h, "From"), 1);
	cr_assert_eq(header_count(&h, "To"), 1);
	cr_assert_eq(header_count(&h, "Bcc"), 0);
	arena_clear(&arena);
	check_lines(&r->header);
	check_lines(&r->body);
	cr_assert(buf_ok(&r->header) && buf_ok(&r->body));
	cr_assert_leq(r->header.n + r->body.n, 131072);
}

Test(dsn, wanted)
{
	static const struct {
		enum envelope_kind kind;
		const char *sender;
		unsigned notify;
		bool wanted;
	} cases[] = {
	    {ENVELOPE_MESSAGE, "a@b", 0, true},
	    {ENVELOPE_MESSAGE, "a@b", NOTIFY_FAILURE, true},
	    {ENVELOPE_MESSAGE, "a@b", NOTIFY_FAILURE | NOTIFY_SUCCESS | NOTIFY_DELAY, true},
	    {ENVELOPE_MESSAGE, "a@b", NOTIFY_NEVER, false},
	    {ENVELOPE_MESSAGE, "a@b", NOTIFY_SUCCESS, false},
	    {ENVELOPE_MESSAGE, "a@b", NOTIFY_DELAY | NOTIFY_SUCCESS, false},
	    {ENVELOPE_MESSAGE, "", 0, false},
	    {ENVELOPE_MESSAGE, "", NOTIFY_FAILURE, false},
	    {ENVELOPE_REPORT, "", NOTIFY_FAILURE, false},
	    {ENVELOPE_REPORT, "a@b", 0, false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sample s;

		sample(&s, cases[i].sender, "bob@example.net");
		s.envelope.kind = cases[i].kind;
		s.recipient.notify = cases[i].notify;
		cr_assert_eq(dsn_is_wanted(&s.envelope, &s.recipient), cases[i].wanted, "%zu", i);
	}
}

Test(dsn, returns)
{
	static const struct {
		enum envelope_return ret;
		uint64_t bytes;
		bool body;
	} cases[] = {
	    {RETURN_UNSET, 1000, true},
	    {RETURN_FULL, 1000, true},
	    {RETURN_HEADERS, 1000, false},
	    {RETURN_UNSET, BIG, false},
	    {RETURN_FULL, BIG, false},
	    {RETURN_FULL, UINT64_C(1) << 40, false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sample s;

		sample(&s, "a@b", "c@d");
		s.envelope.ret = cases[i].ret;
		s.envelope.body_bytes = cases[i].bytes;
		cr_assert_eq(dsn_returns_body(&s.envelope), cases[i].body, "%zu", i);
	}
}

Test(dsn, the_plain_case)
{
	static const char *const body[] = {
	    "This is the mail system of gw.example.com.\r\n",
	    "  <bob@example.net>\r\n",
	    "The answer of mx.example.net [192.0.2.25]:\r\n    550 5.1.1 No such user\r\n",
	    "Your message is attached.\r\n",
	    "Content-Type: message/delivery-status\r\n",
	    "Original-Envelope-Id: QQ=314159\r\n",
	    "Reporting-MTA: dns; gw.example.com\r\nArrival-Date: ",
	    "Original-Recipient: rfc822;Bob=Smith@example.net\r\n",
	    "Final-Recipient: rfc822;bob@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n",
	    "Remote-MTA: dns; mx.example.net\r\n",
	    "Diagnostic-Code: smtp; 550 5.1.1 No such user\r\n",
	    "Last-Attempt-Date: ",
	    "Content-Type: message/rfc822\r\n\r\nFrom: alice@example.com\r\n",
	    "\r\n\r\nHello\r\n",
	};
	static const char *const header[] = {
	    "From: Mail delivery system <MAILER-DAEMON@gw.example.com>\r\n",
	    "To: <alice@example.com>\r\n",
	    "Auto-Submitted: auto-replied\r\n",
	    "References: <m1@laptop>\r\n",
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"",
	};
	struct dsn_report r;
	struct sample s;

	sample(&s, "alice@example.com", "bob@example.net");
	s.envelope.envid = STR("QQ+3D314159");
	s.recipient.orcpt = STR("rfc822;Bob+3DSmith@example.net");
	cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
	check_report(&r);
	for (size_t i = 0; i < sizeof body / sizeof *body; i++)
		cr_assert(has(&r.body, body[i]), "%s\n%.*s", body[i], (int)r.body.n, r.body.p);
	for (size_t i = 0; i < sizeof header / sizeof *header; i++)
		cr_assert(has(&r.header, header[i]), "%s", header[i]);
	cr_assert_eq(r.envelope.kind, ENVELOPE_REPORT);
	cr_assert_eq(r.envelope.sender.n, 0);
	cr_assert_eq(r.envelope.recipient_count, 1);
	cr_assert(str_eq(r.envelope.recipients[0].address, STR("alice@example.com")));
	cr_assert_eq(r.envelope.recipients[0].notify, NOTIFY_NEVER);
	cr_assert_not(r.envelope.smtputf8);
	cr_assert_eq(r.envelope.body, BODY_7BIT);
	cr_assert_eq(r.envelope.header_bytes, r.header.n);
	cr_assert_eq(r.envelope.body_bytes, r.body.n);
	cr_assert_eq(r.envelope.id.number, 1000007);
	dsn_clear(&r);
}

Test(dsn, expired_and_local)
{
	struct dsn_report r;
	struct sample s;

	sample(&s, "a@b", "c@d");
	s.failure.is_expired = true;
	s.failure.status = status_make(451, "4.7.1", "Greylisted");
	cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
	cr_assert(has(&r.body, "Status: 4.4.7\r\n"));
	cr_assert(has(&r.body, "Diagnostic-Code: smtp; 451 4.7.1 Greylisted\r\n"));
	cr_assert(has(&r.body, "could not be delivered in the time allowed"));
	dsn_clear(&r);
	s.failure.host = STR_NULL;
	s.dsn.has_body = false;
	cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
	cr_assert_not(has(&r.body, "Remote-MTA"));
	cr_assert(has(&r.body, "Diagnostic-Code: x-sallyport; Greylisted\r\n"));
	cr_assert(has(&r.body, "Content-Type: text/rfc822-headers\r\n"));
	cr_assert_not(has(&r.body, "Hello"));
	dsn_clear(&r);
}

/* CVE-2020-8794 and its kind: nothing that was said to us begins a line or a field. */
Test(dsn, hostile_words)
{
	static const char *const hostile[] = {
	    "x\r\nFinal-Recipient: rfc822;eve@example.net",
	    "x\nAction: delivered",
	    "\033[2J\007",
	    "\r\n\r\n--=_boundary--\r\n",
	    "Subject: hi\r\nBcc: eve@example.net",
	    "a\tb\vc\x7f\x80\xff",
	    "                                                                                      "
	    "x",
	    "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww"
	    "wwwwww"
	    "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww"
	    "wwwwww",
	};

	for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
		struct dsn_report r;
		struct sample s;

		sample(&s, "a@b", "c@d");
		snprintf(s.failure.status.text, sizeof s.failure.status.text, "%s", hostile[i]);
		s.failure.host = str_of(hostile[i]);
		s.failure.address = str_of(hostile[i]);
		cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
		check_report(&r);
		cr_assert_not(has(&r.body, "\nFinal-Recipient: rfc822;eve"));
		cr_assert_not(has(&r.body, "\nAction: delivered"));
		cr_assert_not(has(&r.body, "\nBcc"));
		dsn_clear(&r);
	}
}

/* What xtext hides stays harmless, what it cannot hold is left out. */
Test(dsn, hostile_xtext)
{
	static const struct {
		const char *orcpt, *envid;
		const char *there, *not_there;
	} cases[] = {
	    {"rfc822;a+0D+0ABcc:+20v@x", "e+0D+0AAction:+20relayed",
	        "Original-Recipient: rfc822;a??Bcc: v@x\r\n", "\nAction: relayed"},
	    {"rfc822;a+ZZ", "a+ZZ", "Final-Recipient", "Original-"},
	    {"noaddrtype", "+0", "Final-Recipient", "Original-"},
	    {";a@b", "", "Final-Recipient", "Original-"},
	    {"rfc822;", "", "Final-Recipient", "Original-Recipient"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct dsn_report r;
		struct sample s;

		sample(&s, "a@b", "c@d");
		s.recipient.orcpt = str_of(cases[i].orcpt);
		s.envelope.envid = str_of(cases[i].envid);
		cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
		check_report(&r);
		cr_assert(has(&r.body, cases[i].there), "%zu: %.*s", i, (int)r.body.n, r.body.p);
		cr_assert_not(has(&r.body, cases[i].not_there), "%zu", i);
		dsn_clear(&r);
	}
}

/* An ASCII sender gets a report that any host can carry. */
Test(dsn, utf8_recipient_ascii_sender)
{
	struct dsn_report r;
	struct sample s;

	sample(&s, "alice@example.com",
	    "b\xc3\xbc"
	    "cher@example.net");
	s.dsn.header = STR("Subject: \xc3\xbc\r\n");
	cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
	check_report(&r);
	cr_assert(str_is_ascii(buf_str(&r.body)));
	cr_assert_not(r.envelope.smtputf8);
	cr_assert_eq(r.envelope.body, BODY_7BIT);
	cr_assert(has(&r.body, "Final-Recipient: utf-8;b\\x{FC}cher@example.net\r\n"));
	cr_assert(has(&r.body,
	    "Content-Type: message/global\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVj"));
	dsn_clear(&r);
}

Test(dsn, utf8_sender)
{
	struct dsn_report r;
	struct sample s;

	sample(&s, "\xc3\xa4@example.com", "b\xc3\xbc@example.net");
	s.dsn.header = STR("Subject: \xc3\xbc\r\n");
	cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
	check_report(&r);
	cr_assert(r.envelope.smtputf8);
	cr_assert_eq(r.envelope.body, BODY_8BITMIME);
	cr_assert(has(&r.body, "Content-Type: message/global-delivery-status\r\n"));
	cr_assert(has(&r.body, "Final-Recipient: utf-8;b\xc3\xbc@example.net\r\n"));
	cr_assert(
	    has(&r.body, "Content-Type: message/global\r\nContent-Transfer-Encoding: 8bit\r\n"));
	cr_assert(has(&r.header, "report-type=global-delivery-status;"));
	dsn_clear(&r);
}

Test(dsn, eight_bit_body)
{
	struct dsn_report r;
	struct sample s;

	sample(&s, "a@b", "c@d");
	s.dsn.body = STR("Gr\xc3\xbc\xc3\x9f"
	                 "e\r\n");
	cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
	cr_assert_eq(r.envelope.body, BODY_8BITMIME);
	cr_assert(
	    has(&r.body, "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n"));
	cr_assert(has(&r.header, "Content-Transfer-Encoding: 8bit\r\n"));
	dsn_clear(&r);
}

/* A message that contains the boundary that it can foresee. */
Test(dsn, boundary)
{
	struct dsn_report r, again;
	struct sample s;
	struct str boundary;
	size_t at;
	char body[200];

	sample(&s, "a@b", "c@d");
	cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
	boundary = buf_str(&r.body);
	at = str_find(boundary, '\r');
	snprintf(body, sizeof body, "%.*s\r\n", (int)at, boundary.p);
	s.dsn.body = str_of(body);
	cr_assert_eq(dsn_compose(&s.dsn, &again), 1);
	cr_assert(memcmp(again.body.p, r.body.p, at) != 0);
	dsn_clear(&r);
	dsn_clear(&again);
}

/* A thousand recipients with the longest words: several reports, each within bounds, none
 * forgotten. */
Test(dsn, many_recipients)
{
	enum { COUNT = 1000 };
	static struct recipient recipients[COUNT];
	static struct dsn_failure failures[COUNT];
	static char address[300], header[BIG];
	struct sample s;
	size_t done = 0, reports = 0;

	memset(address, 'x', 298);
	memcpy(address + 100, "\xc3\xbc@", 3);
	memset(header, 'h', sizeof header);
	memcpy(header, "Subject: \xc3\xbc", 11);
	for (size_t i = 70; i + 2 < sizeof header; i += 70)
		memcpy(header + i, "\r\nX", 3), header[i + 4] = ':';
	sample(&s, "a@b", "c@d");
	for (size_t i = 0; i < COUNT; i++) {
		recipients[i] = (struct recipient){.address = str_of(address)};
		failures[i] = s.failure;
		failures[i].number = (uint32_t)i + 1;
		memset(failures[i].status.text, 'y', STATUS_TEXT_BYTES - 1);
	}
	s.envelope.recipients = recipients;
	s.envelope.recipient_count = COUNT;
	s.dsn.header = str_make(header, 49000);
	while (done < COUNT) {
		struct dsn_report r;
		size_t n;

		s.dsn.failures = failures + done;
		s.dsn.count = COUNT - done;
		n = dsn_compose(&s.dsn, &r);
		cr_assert_geq(n, 1);
		cr_assert(buf_ok(&r.body) && buf_ok(&r.header));
		cr_assert_leq(r.body.n + r.header.n, 131072);
		cr_assert_eq(r.envelope.id.number, (done + 1) * 1000000 + 7);
		done += n;
		reports++;
		dsn_clear(&r);
	}
	cr_assert_leq(reports, 60);
}

Test(dsn, original_that_is_lost)
{
	struct dsn_report r;
	struct sample s;

	sample(&s, "a@b", "c@d");
	s.dsn.header = STR_NULL;
	s.dsn.body = STR_NULL;
	s.dsn.has_body = false;
	cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
	check_report(&r);
	dsn_clear(&r);
}
