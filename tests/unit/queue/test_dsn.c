/* dsn: when a report is owed, and what it contains, whatever other hosts have sent. */
#include "dsn_sample.h"

#include "mail/header.h"
#include "support.h"

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
			struct dsn_conditions w = {{1, 1}, cases[i].kind, cases[i].sender[0],
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
	dsn_check_report(&r);
	for (size_t i = 0; i < sizeof body / sizeof *body; i++)
		cr_assert(dsn_has(&r.body, body[i]), "%s\n%.*s", body[i], (int)r.body.n, r.body.p);
	for (size_t i = 0; i < sizeof header / sizeof *header; i++)
		cr_assert(dsn_has(&r.header, header[i]), "%s", header[i]);
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
	s.item.status = smtp_status_remote(451, STR("4.7.1 Greylisted"));
	cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
	cr_assert(dsn_has(&r.body, "Status: 4.4.7\r\n"));
	cr_assert(dsn_has(&r.body, "Diagnostic-Code: smtp; 451 4.7.1 Greylisted\r\n"));
	cr_assert(dsn_has(&r.body, "could not be delivered in the time allowed"));
	dsn_clear(&r);
	s.item.host = s.item.address = STR_NULL;
	s.item.status.is_remote = false;
	s.dsn.has_body = false;
	cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
	cr_assert_not(dsn_has(&r.body, "Remote-MTA"));
	cr_assert(dsn_has(&r.body, "Diagnostic-Code: x-sallyport; Greylisted\r\n"));
	cr_assert(dsn_has(&r.body, "Content-Type: text/rfc822-headers\r\n"));
	cr_assert_not(dsn_has(&r.body, "Hello"));
	dsn_clear(&r);
}

/* The advice to send the message again mentions that it may have arrived already. */
Test(dsn, may_have_arrived)
{
	struct dsn_report r;
	struct sample s;

	sample(&s, "a@b", "c@d");
	s.item.is_expired = true;
	s.item.status = smtp_status_may_have_arrived();
	cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
	cr_assert(dsn_has(&r.body, "It may have arrived already"));
	cr_assert_not(dsn_has(&r.body, "send the message"));
	dsn_clear(&r);
}

/* A thousand recipients with the longest texts: several reports, each within bounds, with every
 * recipient. */
Test(dsn, many_recipients)
{
	enum { COUNT = 1000 };
	static struct envelope_recipient recipients[COUNT];
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
		recipients[i] = (struct envelope_recipient){.address = str_of(address)};
		items[i] = s.item;
		items[i].number = (uint32_t)i + 1;
		memset(items[i].status.text, 'y', SMTP_STATUS_TEXT_BYTES - 1);
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
	dsn_check_report(&r);
	dsn_clear(&r);
}

/* L13: a status that no host sent is shown as this system's, in the text and in the fields. */
Test(dsn, our_own_diagnosis)
{
	struct dsn_report r;
	struct sample s;

	sample(&s, "a@b", "c@d");
	s.item.status = smtp_status_make(553, "5.6.7", "the address needs SMTPUTF8");
	cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
	dsn_check_report(&r);
	cr_assert(dsn_has(&r.body, "Diagnostic-Code: x-sallyport; the address needs SMTPUTF8\r\n"));
	cr_assert(dsn_has(&r.body, "Status: 5.6.7\r\n"));
	cr_assert_not(dsn_has(&r.body, "Remote-MTA"));
	cr_assert_not(dsn_has(&r.body, "The answer of"));
	cr_assert_not(dsn_has(&r.body, "553 5.6.7"));
	cr_assert(dsn_has(&r.body, "No host decided this. This system found at mx.example.net "
			       "[192.0.2.25]:\r\n    the address needs SMTPUTF8\r\n"));
	dsn_clear(&r);
}

/* A host of a configured route may have no name. */
Test(dsn, host_without_a_name)
{
	struct dsn_report r;
	struct sample s;

	sample(&s, "a@b", "c@d");
	for (int i = 0; i < 2; i++) {
		s.item.host = i ? s.item.address : STR_NULL;
		cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
		dsn_check_report(&r);
		cr_assert(dsn_has(&r.body, "The answer of the host [192.0.2.25]:\r\n"));
		cr_assert(dsn_has(&r.body, "Diagnostic-Code: smtp; 550 5.1.1 No such user\r\n"));
		cr_assert(dsn_has(&r.body, "Remote-MTA: dns; [192.0.2.25]\r\n"));
		dsn_clear(&r);
	}
	s.item.host = s.item.address = STR("2001:db8::25");
	s.item.status.text[0] = '\0';
	cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
	dsn_check_report(&r);
	cr_assert(dsn_has(&r.body, "Remote-MTA: dns; [IPv6:2001:db8::25]\r\n"));
	cr_assert(dsn_has(&r.body, "Diagnostic-Code: smtp; 550 5.1.1\r\n"));
	dsn_clear(&r);
}

/* Action, status and text agree, whatever the reply code was. */
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
	        "taken by a mail system that sends no reports", "Mail delivery report (succ",
	        false},
	    {DSN_DELIVERED, 250, "Action: delivered\r\nStatus: 2.0.0\r\n", "was delivered to",
	        "Mail delivery report (succ", false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct dsn_report r;
		struct sample s;

		sample(&s, "a@b", "c@d");
		s.item.action = cases[i].action;
		s.item.status =
		    smtp_status_remote(cases[i].code ? cases[i].code : 451, STR("words"));
		if (cases[i].code == 0)
			s.item.status = (struct smtp_status){0};
		cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
		dsn_check_report(&r);
		cr_assert(
		    dsn_has(&r.body, cases[i].fields), "%zu %.*s", i, (int)r.body.n, r.body.p);
		cr_assert(dsn_has(&r.body, cases[i].words), "%zu", i);
		cr_assert(dsn_has(&r.header, cases[i].subject), "%zu", i);
		cr_assert_eq(dsn_has(&r.body, "Hello"), cases[i].returns_body, "%zu", i);
		cr_assert_eq(
		    dsn_has(&r.body, "Will-Retry-Until: "), cases[i].action == DSN_DELAYED);
		cr_assert_eq(dsn_has(&r.body, "A failed delivery is not tried again"),
		    cases[i].action == DSN_FAILED);
		dsn_clear(&r);
	}
}

/* One report of a round may contain both. */
Test(dsn, failed_and_delivered)
{
	struct envelope_recipient two[2] = {{.address = STR("c@d")}, {.address = STR("e@f")}};
	struct dsn_item items[2];
	struct dsn_report r;
	struct sample s;

	sample(&s, "a@b", "c@d");
	s.envelope.recipients = two;
	s.envelope.recipient_count = 2;
	items[0] = items[1] = s.item;
	items[0].action = DSN_DELIVERED;
	items[0].status = smtp_status_remote(250, STR("2.0.0 stored"));
	items[1].number = 2;
	s.dsn.items = items;
	s.dsn.count = 2;
	cr_assert_eq(dsn_compose(&s.dsn, &r), 2);
	dsn_check_report(&r);
	cr_assert(
	    dsn_has(&r.header, "Subject: Mail delivery report (not all of it was delivered)\r\n"));
	cr_assert(dsn_has(
	    &r.body, "Final-Recipient: rfc822;c@d\r\nAction: delivered\r\nStatus: 2.0.0\r\n"));
	cr_assert(
	    dsn_has(&r.body, "Final-Recipient: rfc822;e@f\r\nAction: failed\r\nStatus: 5.1.1\r\n"));
	dsn_clear(&r);
}

/* A report that fails goes to the postmaster, whole; when that one fails, no report is sent. */
Test(dsn, about_a_report)
{
	struct dsn_report first, second;
	struct dsn_conditions w = {.kind = ENVELOPE_REPORT, .notify = NOTIFY_NEVER};
	struct sample s;

	sample(&s, "alice@example.com", "bob@example.net");
	cr_assert_eq(dsn_compose(&s.dsn, &first), 1);
	cr_assert_not(dsn_is_about_report(first.envelope.id));
	s.dsn.envelope = &first.envelope;
	s.dsn.header = buf_str(&first.header);
	s.dsn.body = buf_str(&first.body);
	s.item.status = smtp_status_remote(550, STR("5.1.1 alice has left"));
	cr_assert(dsn_returns_body(&first.envelope));
	cr_assert_eq(dsn_compose(&s.dsn, &second), 1);
	dsn_check_report(&second);
	cr_assert(str_eq(second.envelope.recipients[0].address, STR("postmaster@example.com")));
	cr_assert_eq(second.envelope.kind, ENVELOPE_REPORT);
	cr_assert_eq(second.envelope.sender.n, 0);
	cr_assert_eq(second.envelope.id.number, 2001000007);
	cr_assert(dsn_has(&second.header, "Subject: Undeliverable delivery report\r\n"));
	cr_assert(dsn_has(&second.body, "Final-Recipient: rfc822;alice@example.com\r\n"));
	cr_assert(dsn_has(&second.body, "Final-Recipient: rfc822;bob@example.net\r\n"));
	cr_assert(dsn_has(&second.body, "Content-Type: message/rfc822\r\n"));
	w.id = second.envelope.id;
	cr_assert(dsn_is_about_report(w.id));
	cr_assert_not(dsn_is_wanted(&w, DSN_FAILED));
	dsn_clear(&first);
	dsn_clear(&second);
}

/* A UTF-8 report cannot be attached unchanged: the postmaster gets it in base64. */
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
	dsn_check_report(&second);
	cr_assert(dsn_has(&second.body, "Final-Recipient: utf-8;\\x{E4}@example.com\r\n"));
	cr_assert(dsn_has(&second.body,
	    "Content-Type: message/global\r\nContent-Transfer-Encoding: base64\r\n\r\n"));
	dsn_clear(&first);
	dsn_clear(&second);
}

/* When the disk is nearly full, little is returned. */
Test(dsn, brief)
{
	struct dsn_report r;
	struct sample s;

	sample(&s, "a@b", "c@d");
	s.dsn.is_brief = true;
	cr_assert_eq(dsn_compose(&s.dsn, &r), 1);
	dsn_check_report(&r);
	cr_assert_not(dsn_has(&r.body, "Hello"));
	cr_assert(dsn_has(&r.body, "From: alice@example.com\r\n"));
	dsn_clear(&r);
}
