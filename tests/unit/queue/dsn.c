/* dsn: who is told, and what the report says whatever was said to us. */
#include "queue/dsn.h"

#include "mail/header.h"
#include "support.h"

enum { BIG = 60000 };

static const int64_t now_ms = INT64_C(1795000000000);

struct sample {
	struct recipient recipient;
	struct envelope envelope;
	struct dsn_item item;
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
	s->item = (struct dsn_item){.number = 1,
	    .status = status_remote(550, STR("5.1.1 No such user")),
	    .host = STR("mx.example.net"),
	    .address = STR("192.0.2.25"),
	    .at_ms = now_ms};
	s->dsn = (struct dsn){.envelope = &s->envelope,
	    .items = &s->item,
	    .count = 1,
	    .header = STR("From: alice@example.com\r\nMessage-ID: <m1@laptop>\r\n"),
	    .body = STR("Hello\r\n"),
	    .has_body = true,
	    .hostname = STR("gw.example.com"),
	    .postmaster = STR("postmaster@example.com"),
	    .retry_until_ms = now_ms + 86400000,
	    .now_ms = now_ms};
}

static bool
has(const struct buf *b, const char *text)
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
static void
check_lines(const struct buf *b, bool is_utf8)
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
	check_lines(&r->header, r->envelope.smtputf8);
	check_lines(&r->body, r->envelope.smtputf8);
	if (!r->envelope.smtputf8)
		cr_assert_eq(r->envelope.body, BODY_7BIT);
	check_boundary(r);
	cr_assert(buf_ok(&r->header) && buf_ok(&r->body));
	cr_assert_leq(r->header.n + r->body.n, 131072);
}

Test(dsn, wanted)
{
	static const struct {
		enum envelope_kind kind;
		const char *sender;
		unsigned notify;
		const char *wanted; /* F: failure, D: delay, S: success */
	} cases[] = {
	    {ENVELOPE_MESSAGE, "a@b", 0, "FD"},
	    {ENVELOPE_MESSAGE, "a@b", NOTIFY_FAILURE, "F"},
	    {ENVELOPE_MESSAGE, "a@b", NOTIFY_FAILURE | NOTIFY_SUCCESS | NOTIFY_DELAY, "FDS"},
	    {ENVELOPE_MESSAGE, "a@b", NOTIFY_NEVER, ""},
	    {ENVELOPE_MESSAGE, "a@b", NOTIFY_SUCCESS, "S"},
	    {ENVELOPE_MESSAGE, "a@b", NOTIFY_DELAY | NOTIFY_SUCCESS, "DS"},
	    {ENVELOPE_MESSAGE, "a@b", NOTIFY_DELAY, "D"},
	    {ENVELOPE_MESSAGE, "", 0, ""},
	    {ENVELOPE_MESSAGE, "", NOTIFY_FAILURE | NOTIFY_SUCCESS | NOTIFY_DELAY, ""},
	    {ENVELOPE_REPORT, "", NOTIFY_NEVER, "F"},
	    {ENVELOPE_REPORT, "", 0, "F"},
	};
	static const char letters[DSN_ACTIONS] = {'F', 'D', 'S', 'S'};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (enum dsn_action a = DSN_FAILED; a < DSN_ACTIONS; a++) {
			struct dsn_wish w = {{1, 1}, cases[i].kind, cases[i].sender[0],
			    cases[i].notify};

			cr_assert_eq(dsn_is_wanted(&w, a),
			    strchr(cases[i].wanted, letters[a]) != NULL, "%zu %d", i, a);
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
	    "\r\ncould not be delivered to this recipient:\r\n\r\n  <bob@example.net>\r\n",
	    "Check the address for typing errors, ",
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
	s.item.is_expired = true;
	s.item.status = status_remote(451, STR("4.7.1 Greylisted"));
	cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
	cr_assert(has(&r.body, "Status: 4.4.7\r\n"));
	cr_assert(has(&r.body, "Diagnostic-Code: smtp; 451 4.7.1 Greylisted\r\n"));
	cr_assert(has(&r.body, "could not be delivered in the time allowed"));
	dsn_clear(&r);
	s.item.host = s.item.address = STR_NULL;
	s.item.status.is_remote = false;
	s.dsn.has_body = false;
	cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
	cr_assert_not(has(&r.body, "Remote-MTA"));
	cr_assert(has(&r.body, "Diagnostic-Code: x-sallyport; Greylisted\r\n"));
	cr_assert(has(&r.body, "Content-Type: text/rfc822-headers\r\n"));
	cr_assert_not(has(&r.body, "Hello"));
	dsn_clear(&r);
}

/* Who might have the message already is not told to send it again without a word of that. */
Test(dsn, may_have_arrived)
{
	struct dsn_report r;
	struct sample s;

	sample(&s, "a@b", "c@d");
	s.item.is_expired = true;
	s.item.status = status_may_have_arrived();
	cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
	cr_assert(has(&r.body, "It may have arrived already"));
	cr_assert_not(has(&r.body, "send the message"));
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
		snprintf(s.item.status.text, sizeof s.item.status.text, "%s", hostile[i]);
		s.item.host = str_of(hostile[i]);
		s.item.address = str_of(hostile[i]);
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
	s.dsn.header = STR("Subject: the \xc3\xbc letter\r\nX-Plain: yes\r\n");
	cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
	check_report(&r);
	cr_assert_not(r.envelope.smtputf8);
	cr_assert(has(&r.body, "Final-Recipient: utf-8;b\\x{FC}cher@example.net\r\n"));
	cr_assert(has(&r.body, "Content-Type: text/rfc822-headers\r\n\r\nSubject: the\r\n"
			       " =?utf-8?B?w7w=?=\r\n letter\r\nX-Plain: yes\r\n"));
	cr_assert(has(&r.body, "The header of your message is attached.\r\n"
			       "The rest of it is not attached: it has 8-bit text"));
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
	check_report(&r);
	cr_assert(has(&r.body, "Content-Type: text/rfc822-headers\r\n"));
	cr_assert_not(has(&r.body, "Gr"));
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
	static struct dsn_item items[COUNT];
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
		items[i] = s.item;
		items[i].number = (uint32_t)i + 1;
		memset(items[i].status.text, 'y', STATUS_TEXT_BYTES - 1);
	}
	s.envelope.recipients = recipients;
	s.envelope.recipient_count = COUNT;
	s.dsn.header = str_make(header, 49000);
	while (done < COUNT) {
		struct dsn_report r;
		size_t n;

		s.dsn.items = items + done;
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

/* A12: neither recipient nor remote text makes a line that no host would take, and nothing is cut
 * in the middle of a character. */
Test(dsn, long_addresses)
{
	struct dsn_report r;
	struct sample s;
	char address[400] = "", text[STATUS_TEXT_BYTES] = "";

	for (int i = 0; i < 32; i++)
		strcat(address, "\xce\xb1");
	strcat(address, "@");
	for (int i = 0; i < 120; i++)
		strcat(address, "\xce\xb2");
	for (int i = 0; i < 119; i++)
		strcat(text, "\xce\xb3");
	sample(&s, "alice@example.com", address);
	s.item.status = status_remote(550, str_of(text));
	s.recipient.orcpt = STR("utf-8;b\\x{FC}cher@example.net");
	cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
	check_report(&r);
	cr_assert(has(&r.body, "Final-Recipient: utf-8;\\x{3B1}\\x{3B1}"));
	cr_assert(has(&r.body, "\\x{3B2}...\r\n"));
	cr_assert(has(&r.body, "Original-Recipient: utf-8;b\\x{FC}cher@example.net\r\n"));
	dsn_clear(&r);
}

/* L13: what no host said is told as ours, in words and in fields. */
Test(dsn, our_own_diagnosis)
{
	struct dsn_report r;
	struct sample s;

	sample(&s, "a@b", "c@d");
	s.item.status = status_make(553, "5.6.7", "the address needs SMTPUTF8");
	cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
	check_report(&r);
	cr_assert(has(&r.body, "Diagnostic-Code: x-sallyport; the address needs SMTPUTF8\r\n"));
	cr_assert(has(&r.body, "Status: 5.6.7\r\n"));
	cr_assert_not(has(&r.body, "Remote-MTA"));
	cr_assert_not(has(&r.body, "The answer of"));
	cr_assert_not(has(&r.body, "553 5.6.7"));
	cr_assert(has(&r.body, "No host decided this. This system found at mx.example.net "
			       "[192.0.2.25]:\r\n    the address needs SMTPUTF8\r\n"));
	dsn_clear(&r);
}

/* An address of a route of our own may have no name. */
Test(dsn, host_without_a_name)
{
	struct dsn_report r;
	struct sample s;

	sample(&s, "a@b", "c@d");
	for (int i = 0; i < 2; i++) {
		s.item.host = i ? s.item.address : STR_NULL;
		cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
		check_report(&r);
		cr_assert(has(&r.body, "The answer of the host [192.0.2.25]:\r\n"));
		cr_assert(has(&r.body, "Diagnostic-Code: smtp; 550 5.1.1 No such user\r\n"));
		cr_assert(has(&r.body, "Remote-MTA: dns; [192.0.2.25]\r\n"));
		dsn_clear(&r);
	}
	s.item.host = s.item.address = STR("2001:db8::25");
	s.item.status.text[0] = '\0';
	cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
	check_report(&r);
	cr_assert(has(&r.body, "Remote-MTA: dns; [IPv6:2001:db8::25]\r\n"));
	cr_assert(has(&r.body, "Diagnostic-Code: smtp; 550 5.1.1\r\n"));
	dsn_clear(&r);
}

/* Action, status and words agree, whatever the reply code was. */
Test(dsn, actions)
{
	static const struct {
		enum dsn_action action;
		unsigned code;
		const char *fields, *words, *subject;
		bool returns_body;
	} cases[] = {
	    {DSN_FAILED, 550, "Action: failed\r\nStatus: 5.0.0\r\n", "could not be delivered to",
		"Undelivered mail returned to sender", true},
	    {DSN_DELAYED, 451, "Action: delayed\r\nStatus: 4.0.0\r\n",
		"has not been delivered yet to", "Delayed mail", false},
	    {DSN_DELAYED, 0, "Action: delayed\r\nStatus: 4.0.0\r\nLast-Attempt-Date: ",
		"has not been delivered yet to", "Delayed mail", false},
	    {DSN_RELAYED, 250, "Action: relayed\r\nStatus: 2.0.0\r\n",
		"taken by a mail system that sends no reports", "Mail delivery report (succ", false},
	    {DSN_DELIVERED, 250, "Action: delivered\r\nStatus: 2.0.0\r\n", "was delivered to",
		"Mail delivery report (succ", false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct dsn_report r;
		struct sample s;

		sample(&s, "a@b", "c@d");
		s.item.action = cases[i].action;
		s.item.status = status_remote(cases[i].code ? cases[i].code : 451, STR("words"));
		if (cases[i].code == 0)
			s.item.status = (struct status){0};
		cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
		check_report(&r);
		cr_assert(has(&r.body, cases[i].fields), "%zu %.*s", i, (int)r.body.n, r.body.p);
		cr_assert(has(&r.body, cases[i].words), "%zu", i);
		cr_assert(has(&r.header, cases[i].subject), "%zu", i);
		cr_assert_eq(has(&r.body, "Hello"), cases[i].returns_body, "%zu", i);
		cr_assert_eq(has(&r.body, "Will-Retry-Until: "), cases[i].action == DSN_DELAYED);
		cr_assert_eq(has(&r.body, "will not be tried again"), cases[i].action == DSN_FAILED);
		dsn_clear(&r);
	}
}

/* One report of a round may tell of both. */
Test(dsn, failed_and_delivered)
{
	struct recipient two[2] = {{.address = STR("c@d")}, {.address = STR("e@f")}};
	struct dsn_item items[2];
	struct dsn_report r;
	struct sample s;

	sample(&s, "a@b", "c@d");
	s.envelope.recipients = two;
	s.envelope.recipient_count = 2;
	items[0] = items[1] = s.item;
	items[0].action = DSN_DELIVERED;
	items[0].status = status_remote(250, STR("2.0.0 stored"));
	items[1].number = 2;
	s.dsn.items = items;
	s.dsn.count = 2;
	cr_assert_eq(dsn_compose(&s.dsn, &r), 2);
	check_report(&r);
	cr_assert(has(&r.header, "Subject: Mail delivery report (not all of it was delivered)\r\n"));
	cr_assert(has(&r.body, "Final-Recipient: rfc822;c@d\r\nAction: delivered\r\nStatus: 2.0.0\r\n"));
	cr_assert(has(&r.body, "Final-Recipient: rfc822;e@f\r\nAction: failed\r\nStatus: 5.1.1\r\n"));
	dsn_clear(&r);
}

/* A report that fails goes to the postmaster, whole; what fails then goes to no one. */
Test(dsn, about_a_report)
{
	struct dsn_report first, second;
	struct dsn_wish w = {.kind = ENVELOPE_REPORT, .notify = NOTIFY_NEVER};
	struct sample s;

	sample(&s, "alice@example.com", "bob@example.net");
	cr_assert_eq(dsn_compose(&s.dsn, &first), 1);
	cr_assert_not(dsn_is_about_report(first.envelope.id));
	s.dsn.envelope = &first.envelope;
	s.dsn.header = buf_str(&first.header);
	s.dsn.body = buf_str(&first.body);
	s.item.status = status_remote(550, STR("5.1.1 alice has left"));
	cr_assert(dsn_returns_body(&first.envelope));
	cr_assert_eq(dsn_compose(&s.dsn, &second), 1);
	check_report(&second);
	cr_assert(str_eq(second.envelope.recipients[0].address, STR("postmaster@example.com")));
	cr_assert_eq(second.envelope.kind, ENVELOPE_REPORT);
	cr_assert_eq(second.envelope.sender.n, 0);
	cr_assert_eq(second.envelope.id.number, 2001000007);
	cr_assert(has(&second.header, "Subject: Undeliverable delivery report\r\n"));
	cr_assert(has(&second.body, "Final-Recipient: rfc822;alice@example.com\r\n"));
	cr_assert(has(&second.body, "Final-Recipient: rfc822;bob@example.net\r\n"));
	cr_assert(has(&second.body, "Content-Type: message/rfc822\r\n"));
	w.id = second.envelope.id;
	cr_assert(dsn_is_about_report(w.id));
	cr_assert_not(dsn_is_wanted(&w, DSN_FAILED));
	dsn_clear(&first);
	dsn_clear(&second);
}

/* A report of UTF-8 cannot travel on as it is: the postmaster gets it in base64. */
Test(dsn, about_a_report_of_utf8)
{
	struct dsn_report first, second;
	struct sample s;

	sample(&s, "\xc3\xa4@example.com", "bob@example.net");
	cr_assert_eq(dsn_compose(&s.dsn, &first), 1);
	s.dsn.envelope = &first.envelope;
	s.dsn.header = buf_str(&first.header);
	s.dsn.body = buf_str(&first.body);
	cr_assert_eq(dsn_compose(&s.dsn, &second), 1);
	check_report(&second);
	cr_assert(has(&second.body, "Final-Recipient: utf-8;\\x{E4}@example.com\r\n"));
	cr_assert(has(&second.body,
	    "Content-Type: message/global\r\nContent-Transfer-Encoding: base64\r\n\r\n"));
	dsn_clear(&first);
	dsn_clear(&second);
}

/* What of a header may be returned, and how. */
Test(dsn, header_of_every_kind)
{
	static const struct {
		const char *header, *there;
	} cases[] = {
	    {"Subject: \xc3\xbc\xc3\xbc \xc3\xa4\xc3\xa4\r\n",
		"Subject:\r\n =?utf-8?B?w7zDvCDDpMOk?=\r\n"},
	    {"Subject: a\r\n \xc3\xbc\r\n", "Subject: a\r\n =?utf-8?B?w7w=?=\r\n"},
	    {"Subject: \xff\xfe latin\r\n", "Subject: ?? latin\r\n"},
	    {"Subject: a\033b\r\n", "Subject: a?b\r\n"},
	    {"X:\xc3\xbc\r\n", "X:\r\n =?utf-8?B?w7w=?=\r\n"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct dsn_report r;
		struct sample s;

		sample(&s, "a@b", "c@d");
		s.dsn.header = str_of(cases[i].header);
		s.dsn.has_body = false;
		cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
		check_report(&r);
		cr_assert(has(&r.body, cases[i].there), "%zu %.*s", i, (int)r.body.n, r.body.p);
		dsn_clear(&r);
	}
}

/* A body that no host need take is not returned; a last line without its end is. */
Test(dsn, bodies_of_every_kind)
{
	static char longer[1100];
	struct {
		struct str body;
		bool is_returned;
	} cases[] = {
	    {STR("plain\r\n"), true},
	    {STR("plain"), true},
	    {STR(""), true},
	    {STR("a\0b\r\n"), false},
	    {STR("a\nb\r\n"), false},
	    {STR("a\rb\r\n"), false},
	    {STR("a\xffz\r\n"), false},
	    {{longer, 1000}, true},
	    {{longer, 1001}, false},
	};

	memset(longer, 'x', sizeof longer);
	memcpy(longer + 998, "\r\n", 2);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct dsn_report r;
		struct sample s;

		sample(&s, "a@b", "c@d");
		if (i == 8)
			memcpy(longer + 998, "x\r\n", 3);
		s.dsn.body = cases[i].body;
		cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
		check_report(&r);
		cr_assert_eq(has(&r.body, "message/rfc822"), cases[i].is_returned, "%zu", i);
		dsn_clear(&r);
	}
}

/* Low on room, little is returned. */
Test(dsn, brief)
{
	struct dsn_report r;
	struct sample s;

	sample(&s, "a@b", "c@d");
	s.dsn.is_brief = true;
	cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
	check_report(&r);
	cr_assert_not(has(&r.body, "Hello"));
	cr_assert(has(&r.body, "From: alice@example.com\r\n"));
	dsn_clear(&r);
}
