/* dsn: whatever bytes other hosts have sent, the report may be sent. */
#include "dsn_sample.h"

#include "mail/header.h"
#include "support.h"

/* CVE-2020-8794 and similar: no text from outside begins a line or a field. */
Test(dsn, hostile_text)
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
		dsn_check_report(&r);
		cr_assert_not(dsn_has(&r.body, "\nFinal-Recipient: rfc822;eve"));
		cr_assert_not(dsn_has(&r.body, "\nAction: delivered"));
		cr_assert_not(dsn_has(&r.body, "\nBcc"));
		dsn_clear(&r);
	}
}

/* Encoded text in xtext stays harmless; text that xtext cannot contain is left out. */
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
		dsn_check_report(&r);
		cr_assert(
		    dsn_has(&r.body, cases[i].there), "%zu: %.*s", i, (int)r.body.n, r.body.p);
		cr_assert_not(dsn_has(&r.body, cases[i].not_there), "%zu", i);
		dsn_clear(&r);
	}
}

/* An ASCII sender gets a report that any host accepts. */
Test(dsn, utf8_recipient_ascii_sender)
{
	struct dsn_report r;
	struct sample s;

	sample(&s, "alice@example.com",
	    "b\xc3\xbc"
	    "cher@example.net");
	s.dsn.header = STR("Subject: the \xc3\xbc letter\r\nX-Plain: yes\r\n");
	cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
	dsn_check_report(&r);
	cr_assert_not(r.envelope.smtputf8);
	cr_assert(dsn_has(&r.body, "Final-Recipient: utf-8;b\\x{FC}cher@example.net\r\n"));
	cr_assert(dsn_has(&r.body, "Content-Type: text/rfc822-headers\r\n\r\nSubject: the\r\n"
			       " =?utf-8?B?w7w=?=\r\n letter\r\nX-Plain: yes\r\n"));
	cr_assert(dsn_has(&r.body, "The header of your message is attached.\r\n"
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
	dsn_check_report(&r);
	cr_assert(r.envelope.smtputf8);
	cr_assert_eq(r.envelope.body, BODY_8BITMIME);
	cr_assert(dsn_has(&r.body, "Content-Type: message/global-delivery-status\r\n"));
	cr_assert(dsn_has(&r.body, "Final-Recipient: utf-8;b\xc3\xbc@example.net\r\n"));
	cr_assert(dsn_has(
	    &r.body, "Content-Type: message/global\r\nContent-Transfer-Encoding: 8bit\r\n"));
	cr_assert(dsn_has(&r.header, "report-type=global-delivery-status;"));
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
	dsn_check_report(&r);
	cr_assert(dsn_has(&r.body, "Content-Type: text/rfc822-headers\r\n"));
	cr_assert_not(dsn_has(&r.body, "Gr"));
	dsn_clear(&r);
}

/* A message that contains the boundary that could be predicted. */
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

/* A12: neither recipient nor remote text makes a line that a host would refuse, and no character is
 * cut. */
Test(dsn, long_addresses)
{
	struct dsn_report r;
	struct sample s;
	char address[400] = "", text[SMTP_STATUS_TEXT_BYTES] = "";

	for (int i = 0; i < 32; i++)
		strcat(address, "\xce\xb1");
	strcat(address, "@");
	for (int i = 0; i < 120; i++)
		strcat(address, "\xce\xb2");
	for (int i = 0; i < 119; i++)
		strcat(text, "\xce\xb3");
	sample(&s, "alice@example.com", address);
	s.item.status = smtp_status_remote(550, str_of(text));
	s.recipient.orcpt = STR("utf-8;b\\x{FC}cher@example.net");
	cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
	dsn_check_report(&r);
	cr_assert(dsn_has(&r.body, "Final-Recipient: utf-8;\\x{3B1}\\x{3B1}"));
	cr_assert(dsn_has(&r.body, "\\x{3B2}...\r\n"));
	cr_assert(dsn_has(&r.body, "Original-Recipient: utf-8;b\\x{FC}cher@example.net\r\n"));
	dsn_clear(&r);
}

/* Which part of a header is returned, and in which form. */
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
		dsn_check_report(&r);
		cr_assert(dsn_has(&r.body, cases[i].there), "%zu %.*s", i, (int)r.body.n, r.body.p);
		dsn_clear(&r);
	}
}

/* A body that a host may refuse is not returned; one whose last line has no end is. */
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
		dsn_check_report(&r);
		cr_assert_eq(dsn_has(&r.body, "message/rfc822"), cases[i].is_returned, "%zu", i);
		dsn_clear(&r);
	}
}
