/* header_policy, header_complete and rewrite, one after the other, as submission uses them: which
 * fields are added and removed, and who may be the originator; all else is compared byte by byte. */
#include <stdio.h>

#include "rewrite_rig.h"

TestSuite(rewrite, .init = rewrite_set_up, .fini = rewrite_tear_down);

Test(rewrite, missing_fields_are_added)
{
	rewrite_expect(OK_FROM OK_REST, OK_FROM OK_REST);
	rewrite_expect("", OK_FROM ADDED);
	rewrite_expect(OK_FROM, OK_FROM ADDED);
	rewrite_expect("Subject: x\r\n" OK_REST, "Subject: x\r\n" OK_REST OK_FROM);
	cr_expect(str_eq(rewrite_from, STR("alice@example.com")));
	rewrite_expect("DATE : x\r\nfrom:sales@example.com\r\nmessage-Id:y\r\n",
	    "DATE: x\r\nfrom:sales@example.com\r\nmessage-Id:y\r\n");
	cr_expect(str_eq(rewrite_from, STR("sales@example.com")));
	rewrite_expect("Subject: cut", "Subject: cut\r\n" OK_FROM ADDED);
}

Test(rewrite, no_from_and_no_sender)
{
	struct header_origin r = rewrite_usual();

	r.sender = STR_NULL;
	cr_expect_eq(rewrite_run_with(STR("Subject: x\r\n"), &r).code, 554);
	cr_expect_eq(rewrite_run_with(STR(OK_FROM), &r).code, 250);
}

Test(rewrite, received_is_added)
{
	static const struct {
		struct str client, helo, recipient;
		const char *line;
	} cases[] = {
	    {{"", 0}, {"pc", 2}, {"", 0}, TOP},
	    {{"203.0.113.7", 11}, {"pc.example", 10}, {"bob@example.net", 15},
	        "Received: from pc.example ([203.0.113.7])\r\n\tby mail.example.com "
	        "(sallyport) with ESMTPSA "
	        "(TLSv1.3)\r\n\tid 1R8K3M7Q4TB2-1 for <bob@example.net>;\r\n\t"},
	    {{"2001:db8::7", 11}, {"[127.0.0.1]", 11}, {"", 0},
	        "Received: from [IPv6:2001:db8::7]\r\n\tby mail.example.com (sallyport) with "
	        "ESMTPSA "
	        "(TLSv1.3)\r\n\tid 1R8K3M7Q4TB2-1;\r\n\t"},
	    {{"203.0.113.7", 11}, {"", 0}, {"", 0},
	        "Received: from [203.0.113.7]\r\n\tby mail.example.com (sallyport) with ESMTPSA "
	        "(TLSv1.3)\r\n\tid 1R8K3M7Q4TB2-1;\r\n\t"},
	    {{"203.0.113.7", 11}, {"a\r\nBcc: x", 9}, {"", 0},
	        "Received: from [203.0.113.7]\r\n\tby mail.example.com (sallyport) with "
	        "ESMTPSA "
	        "(TLSv1.3)\r\n\tid 1R8K3M7Q4TB2-1;\r\n\t"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct header_origin r = rewrite_usual();

		r.client = cases[i].client;
		r.helo = cases[i].helo;
		r.for_recipient = cases[i].recipient;
		cr_assert_eq(rewrite_run_with(STR(OK_FROM OK_REST), &r).code, 250);
		cr_expect(str_starts(buf_str(&rewrite_out), str_of(cases[i].line)), "%.*s",
		    STR_ARG(buf_str(&rewrite_out)));
		cr_expect(str_eq(rewrite_below_trace(), STR(OK_FROM OK_REST)));
	}
}

Test(rewrite, blind_copies_and_return_path_are_removed)
{
	static const char *blind[] = {"Bcc: v@x\r\n", "bCC :v@x\r\n",
	    "Bcc\t : v@x,\r\n w@x,\r\n\tz@x\r\n", "BCC:\r\n", "Return-Path: <v@x>\r\n",
	    "Bcc: \"unclosed\r\n", "Bcc: v@x\r\nBcc: w@x\r\n"};
	char in[512];

	for (size_t i = 0; i < sizeof blind / sizeof *blind; i++) {
		snprintf(in, sizeof in, "%s%s", blind[i], OK_FROM OK_REST);
		rewrite_expect(in, OK_FROM OK_REST);
		snprintf(in, sizeof in, "%s%s%s", OK_FROM, blind[i], OK_REST);
		rewrite_expect(in, OK_FROM OK_REST);
		snprintf(in, sizeof in, "%s%s", OK_FROM OK_REST, blind[i]);
		rewrite_expect(in, OK_FROM OK_REST);
	}
	rewrite_expect(OK_FROM OK_REST "X-Bcc: v\r\nBccc: v\r\nSubject: a\r\n Bcc: v\r\n",
	    OK_FROM OK_REST "X-Bcc: v\r\nBccc: v\r\nSubject: a\r\n Bcc: v\r\n");
}

/* From and similar fields: every way to name another user, or to write an address that programs
 * read differently. */
Test(rewrite, an_originator_of_another_user_is_refused)
{
	static const char *others[] = {
	    "From: ceo@example.com\r\n",
	    "From : ceo@example.com\r\n",
	    "fROM:\r\n ceo@example.com\r\n",
	    "From: alice@example.com, ceo@example.com\r\n",
	    "From: ceo@example.com, alice@example.com\r\n",
	    "From: \"alice@example.com\" <ceo@example.com>\r\n",
	    "From: alice <ceo@example.com>\r\n",
	    "From: <@alice@example.com:ceo@example.com>\r\n",
	    "From: <@example.com:ceo@example.com>\r\n",
	    "From: x: alice@example.com, ceo@example.com;\r\n",
	    "From: ceo@example.com (alice@example.com)\r\n",
	    "From: (alice@example.com) ceo@example.com\r\n",
	    "From: alice@example.com.evil.example\r\n",
	    "From: alice+x@example.com\r\n",
	    "From: \"alice \"@example.com\r\n",
	    "From: ceo\r\n",
	    "From: ceo@example.com\r\nFROM : alice@example.com\r\n",
	    "From: alice%example.com@evil.example\r\n",
	    "From: evil!alice@example.com\r\n",
	};
	static const char *unclear[] = {
	    "From: alice@example.com\r\nFrom: ceo@example.com\r\n",
	    "From: <alice@example.com> <ceo@example.com>\r\n",
	    "From: <ceo@example.com> <alice@example.com>\r\n",
	    "From: ceo@example.com <alice@example.com>\r\n",
	    "From: al(c)ice@example.com\r\n",
	    "From: alice@(ceo@)example.com\r\n",
	    "From: alice @ example.com\r\n",
	    "From: \"alice@example.com\r\n",
	    "From: <alice@example.com\r\n",
	    "From: alice@example.com (x\r\n",
	    "From:\r\n",
	    "From: ,\r\n",
	    "From: x:;\r\n",
	    "From: =?utf-8?q?ceo=40example.com=3e=00?=alice@example.com\r\n",
	    "From: <>\r\n",
	    "From: =?utf-8?q?alice?=@example.com\r\n",
	    "From: =?utf-8?q?ceo=40example.com=00?= <alice@example.com>\r\n",
	    "From: alice@example..com\r\n",
	    "From: alice@[999.1.1.1]\r\n",
	    "From: alice@example.com;\r\n",
	    "From: ((((alice@example.com\r\n",
	};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		struct smtp_status s = rewrite_run(others[i]);

		cr_expect_eq(s.code, 550, "%s: %u %s", others[i], s.code, s.text);
	}
	for (size_t i = 0; i < sizeof unclear / sizeof *unclear; i++)
		rewrite_expect_refusal(str_of(unclear[i]), 554, "5.6.0");
	rewrite_expect_refusal(STR("X: 1\rFrom: ceo@example.com\r\n" OK_FROM), 554, "5.6.0");
	rewrite_expect_refusal(STR("From: alice@example.com\0ceo@example.com\r\n"), 554, "5.6.0");
}

Test(rewrite, the_refusal_names_both_addresses)
{
	struct smtp_status s = rewrite_run("From: CEO <ceo@example.com>\r\n");

	cr_expect_str_eq(s.text, "alice@example.com may not send as ceo@example.com");
	cr_expect(s.code == 550 && s.subject == 7 && s.detail == 1);
}

Test(rewrite, own_addresses_are_accepted_in_many_spellings)
{
	static const char *own[] = {"Alice <ALICE@Example.Com>", "\"alice\"@example.com",
	    "<@x:alice@example.com>", "\"Boss, The\" (x) <sales@example.com> (y)",
	    "G: alice@example.com;", "=?utf-8?Q?Al=C3=AFce?= <alice@example.com>",
	    "\"a b\"@example.com"};
	char in[256];

	for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
		snprintf(in, sizeof in, "From: %s\r\n" OK_REST, own[i]);
		rewrite_expect(in, in);
	}
}

/* The first field with a fault decides, whatever the fault is; faults of the result come last. */
Test(rewrite, the_first_fault_is_reported)
{
	static const char not_utf8[] = "Subject: \xff\r\n", foreign[] = "From: ceo@example.com\r\n";
	static char long_word[1200];
	char in[1600];

	memset(long_word, 'x', sizeof long_word - 1);
	snprintf(in, sizeof in, "%s%s", not_utf8, foreign);
	rewrite_expect_refusal(str_of(in), 554, "5.6.0");
	snprintf(in, sizeof in, "%s%s", foreign, not_utf8);
	rewrite_expect_refusal(str_of(in), 550, "5.7.1");
	snprintf(in, sizeof in, "To: a\x01\r\n%s", foreign);
	rewrite_expect_refusal(str_of(in), 554, "5.6.0");
	snprintf(in, sizeof in, "X: %s\r\n%s", long_word, foreign);
	rewrite_expect_refusal(str_of(in), 550, "5.7.1");
	snprintf(in, sizeof in, "X: %s\r\n%s", long_word, OK_FROM);
	rewrite_expect_refusal(str_of(in), 554, "5.6.0");
}

/* An originator field is judged as it is sent: after a fold that the repair puts into it. */
Test(rewrite, an_originator_is_judged_after_its_repair)
{
	static char local[1200];
	char in[1400];

	memset(local, 'x', sizeof local - 1);
	local[500] = ' ';
	snprintf(in, sizeof in, "From: \"%s\"@example.com\r\n", local);
	rewrite_expect_refusal(str_of(in), 554, "5.6.0");
}

Test(rewrite, sender)
{
	rewrite_expect(OK_FROM "Sender: sales@example.com\r\n" OK_REST,
	    OK_FROM "Sender: sales@example.com\r\n" OK_REST);
	rewrite_expect_refusal(STR(OK_FROM "Sender: ceo@example.com\r\n" OK_REST), 550, "5.7.1");
	rewrite_expect_refusal(
	    STR(OK_FROM "Sender: alice@example.com, sales@example.com\r\n"), 554, "5.6.0");
	rewrite_expect_refusal(
	    STR(OK_FROM "Sender: sales@example.com\r\nSENDER: sales@example.com\r\n"), 554,
	    "5.6.0");
	rewrite_expect_refusal(STR(OK_FROM "Sender:\r\n"), 554, "5.6.0");
	rewrite_expect_refusal(STR(OK_FROM "Sender: a (\r\n"), 554, "5.6.0");
	rewrite_expect("From: alice@example.com, sales@example.com\r\n" OK_REST,
	    "From: alice@example.com, sales@example.com\r\n" OK_REST
	    "Sender: alice@example.com\r\n");
	cr_expect(str_eq(rewrite_from, STR("alice@example.com")));
	rewrite_expect("From: alice@example.com, sales@example.com\r\n"
	               "Sender: sales@example.com\r\n" OK_REST,
	    "From: alice@example.com, sales@example.com\r\nSender: sales@example.com\r\n" OK_REST);
}

Test(rewrite, unqualified_addresses_are_completed)
{
	rewrite_expect("From: Alice <alice>\r\nTo: bob, C <c@d>,\r\n dora (x)\r\nCc: G: e, f@g;\r\n"
	               "Reply-To: \"h i\"\r\n" OK_REST,
	    "From: Alice <alice@example.com>\r\nTo: bob@example.com, C <c@d>,\r\n"
	    " dora@example.com (x)\r\n"
	    "Cc: G: e@example.com, f@g;\r\nReply-To: \"h i\"@example.com\r\n" OK_REST);
	cr_expect(str_eq(rewrite_from, STR("alice@example.com")));
	/* recipient lists that cannot be parsed are unchanged */
	rewrite_expect(OK_FROM OK_REST "To: a b\r\nCc: \"x\r\nReply-To: <>\r\n",
	    OK_FROM OK_REST "To: a b\r\nCc: \"x\r\nReply-To: <>\r\n");
	rewrite_expect(OK_FROM OK_REST "To: a . b\r\nSubject: bob\r\n",
	    OK_FROM OK_REST "To: a . b\r\nSubject: bob\r\n");
}

Test(rewrite, without_a_domain_nothing_is_completed)
{
	struct header_origin r = rewrite_usual();

	r.domain = STR_NULL;
	cr_expect_eq(rewrite_run_with(STR(OK_FROM "To: bob\r\n" OK_REST), &r).code, 250);
	cr_expect(str_eq(rewrite_below_trace(), STR(OK_FROM "To: bob\r\n" OK_REST)));
	cr_expect_eq(rewrite_run_with(STR("From: alice\r\n"), &r).code, 554);
}

/* "To: a,xxx...": with "@example.com" after both, the line has `octets`. */
static unsigned
complete_line_of(size_t octets)
{
	struct header_origin r = rewrite_usual();
	struct buf in;
	size_t n = octets - 2 * (sizeof "@example.com" - 1);
	unsigned code;

	buf_init(&in, 1 << 16);
	buf_addz(&in, "To: a,");
	while (in.n < n)
		buf_addc(&in, 'x');
	buf_addz(&in, "\r\n" OK_FROM OK_REST);
	code = rewrite_run_with(buf_str(&in), &r).code;
	if (code == 250)
		cr_expect_eq(str_find(rewrite_below_trace(), '\r'), octets);
	buf_clear(&in);
	return code;
}

Test(rewrite, completion_makes_no_line_too_long)
{
	cr_expect_eq(complete_line_of(HEADER_LINE_MAX), 250);
	cr_expect_eq(complete_line_of(HEADER_LINE_MAX + 1), 554);
}

#define RESENT "Resent-From: alice@example.com\r\nResent-To: bob@example.net\r\n"

Test(rewrite, resent_blocks)
{
	rewrite_expect(RESENT "Resent-Date: d\r\nResent-Message-ID: <m@n>\r\n" OK_FROM OK_REST,
	    RESENT "Resent-Date: d\r\nResent-Message-ID: <m@n>\r\n" OK_FROM OK_REST);
	rewrite_expect(RESENT OK_FROM OK_REST,
	    "Resent-Date: Sat, 21 Nov 2026 16:57:52 +0000\r\n"
	    "Resent-Message-ID: <1R8K3M7Q4TB2-1@mail.example.com>\r\n" RESENT OK_FROM OK_REST);
	/* the older block has a date, the newer one has none */
	rewrite_expect("Received: x\r\n" RESENT "Resent-Message-ID: <m@n>\r\n" RESENT
	               "Resent-Date: old\r\n" OK_FROM OK_REST,
	    "Received: x\r\n"
	    "Resent-Date: Sat, 21 Nov 2026 16:57:52 +0000\r\n" RESENT
	    "Resent-Message-ID: <m@n>\r\n" RESENT "Resent-Date: old\r\n" OK_FROM OK_REST);
	rewrite_expect("Resent-To: b\r\nResent-BCC : v@x\r\nResent-Date: d\r\n"
	               "Resent-Message-ID: <m@n>\r\n" OK_FROM OK_REST,
	    "Resent-From: alice@example.com\r\nResent-To: b@example.com\r\nResent-Date: d\r\n"
	    "Resent-Message-ID: <m@n>\r\n" OK_FROM OK_REST);
	rewrite_expect_refusal(
	    STR("Resent-From: ceo@example.com\r\n" OK_FROM OK_REST), 550, "5.7.1");
	rewrite_expect_refusal(
	    STR(RESENT "Resent-Sender: ceo@example.com\r\n" OK_FROM OK_REST), 550, "5.7.1");
	rewrite_expect_refusal(
	    STR(RESENT OK_FROM "Resent-From: ceo@example.com\r\n" OK_REST), 550, "5.7.1");
	rewrite_expect_refusal(
	    STR(RESENT "Resent-Sender: alice@example.com (\r\n" OK_FROM), 554, "5.6.0");
}

Test(rewrite, repeated_fields)
{
	static const char *once[] = {"Date", "From", "Sender", "Reply-To", "To", "Cc", "Message-ID",
	    "In-Reply-To", "References", "Subject"};
	static const char *often[] = {
	    "Received", "Comments", "Keywords", "Resent-To", "X-A", "Bcc"};
	struct header_origin lenient = rewrite_usual();
	char in[512], text[80];

	lenient.passes_duplicates = true;
	for (size_t i = 0; i < sizeof once / sizeof *once; i++) {
		bool is_author = str_eq(str_of(once[i]), STR("From")) || i == 2;
		struct smtp_status s;

		snprintf(in, sizeof in,
		    "%s: alice@example.com\r\nX-A: b\r\n%s : sales@example.com\r\n%s", once[i],
		    once[i], i == 1 ? "" : OK_FROM);
		s = rewrite_run(in);
		snprintf(text, sizeof text, "More than one %s header field", once[i]);
		cr_expect_eq(s.code, 554, "%s", in);
		cr_expect_eq(s.subject * 10 + s.detail, 60, "%s", in);
		cr_expect_str_eq(s.text, text);
		cr_expect_eq(
		    rewrite_run_with(str_of(in), &lenient).code, is_author ? 554 : 250, "%s", in);
	}
	for (size_t i = 0; i < sizeof often / sizeof *often; i++) {
		snprintf(in, sizeof in,
		    "%s: alice@example.com\r\n%s: sales@example.com\r\n" OK_FROM, often[i],
		    often[i]);
		cr_expect_eq(rewrite_run(in).code, 250, "%s", in);
	}
	cr_expect_eq(
	    rewrite_run_with(
	        STR("TO: a@b\r\nsubject: x\r\nTo: c@d\r\nSubject: y\r\n" OK_FROM OK_REST), &lenient)
	        .code,
	    250);
	cr_expect(str_eq(rewrite_below_trace(),
	    STR("TO: a@b\r\nsubject: x\r\nTo: c@d\r\nSubject: y\r\n" OK_FROM OK_REST)));
}

Test(rewrite, date_and_message_id_without_a_value_are_replaced)
{
	static const char *blank[] = {"Date:\r\nMessage-ID:\r\n", "Date: \r\nMessage-ID: \t\r\n",
	    "Date :\r\n \r\nmessage-id:\r\n\t\r\n", "Date:\r\n", "Message-ID: \r\n",
	    "Date:\r\nDate: \r\n"};
	char in[256];

	for (size_t i = 0; i < sizeof blank / sizeof *blank; i++) {
		snprintf(in, sizeof in, "%s" OK_FROM, blank[i]);
		rewrite_expect(in, OK_FROM ADDED);
		snprintf(in, sizeof in, OK_FROM "%s", blank[i]);
		rewrite_expect(in, OK_FROM ADDED);
		snprintf(in, sizeof in, "%s" OK_FROM OK_REST "%s", blank[i], blank[i]);
		rewrite_expect(in, OK_FROM OK_REST);
	}
	/* a field with a value stays, whatever the value is */
	rewrite_expect(OK_FROM "Date: (x)\r\nMessage-ID: <<a@b>>\r\n",
	    OK_FROM "Date: (x)\r\nMessage-ID: <<a@b>>\r\n");
	rewrite_expect(
	    OK_FROM OK_REST "Subject:\r\nTo:\r\n", OK_FROM OK_REST "Subject:\r\nTo:\r\n");
}

Test(rewrite, authentication_results_with_our_name_are_removed)
{
	rewrite_expect(
	    "Authentication-Results: mail.example.com; dkim=pass\r\n" OK_FROM
	    "authentication-results : (x) MAIL.Example.com\r\n 1;\r\n spf=pass\r\n" OK_REST,
	    OK_FROM OK_REST);
	rewrite_expect("Authentication-Results: mx.example.net; dkim=pass\r\n" OK_FROM OK_REST
	               "Authentication-Results: mx.example.net; spf=fail\r\n",
	    "Authentication-Results: mx.example.net; dkim=pass\r\n" OK_FROM OK_REST
	    "Authentication-Results: mx.example.net; spf=fail\r\n");
	rewrite_expect(
	    "Authentication-Results: mail.example.com\x0b; dkim=pass\r\n" OK_FROM OK_REST,
	    OK_FROM OK_REST);
	rewrite_expect("Authentication-Results: mx.example.net\x0b; dkim=pass\r\n" OK_FROM OK_REST,
	    "Authentication-Results: mx.example.net ; dkim=pass\r\n" OK_FROM OK_REST);
	rewrite_expect(
	    "Arc-Authentication-Results: i=1; mail.example.com; dkim=pass\r\n" OK_FROM OK_REST,
	    "Arc-Authentication-Results: i=1; mail.example.com; dkim=pass\r\n" OK_FROM OK_REST);
}

Test(rewrite, mail_loops)
{
	struct header_origin r = rewrite_usual();
	struct buf in;

	buf_init(&in, 1 << 16);
	for (int i = 0; i < HEADER_POLICY_RECEIVED_MAX; i++)
		buf_addz(&in, "received: by x\r\n");
	buf_addz(&in, OK_FROM OK_REST);
	cr_expect_eq(rewrite_run_with(buf_str(&in), &r).code, 250);
	cr_expect(str_eq(rewrite_below_trace(), buf_str(&in)));
	buf_addz(&in, "Received : by x\r\n");
	rewrite_expect_refusal(buf_str(&in), 554, "5.4.6");
	buf_clear(&in);
}

Test(rewrite, fields_beyond_ascii)
{
	struct header_origin r = rewrite_usual();
	static const struct str utf8 = {"Subject: gr\xc3\xbc\xc3\x9f\r\n"
	                                "From: j\xc3\xbc@example.com\r\n" OK_REST,
	    0};
	struct str in = str_of(utf8.p);

	rewrite_expect_refusal(in, 554, "5.6.7");
	rewrite_expect_refusal(STR("Subject: gr\xfc\xdf\r\n" OK_FROM), 554, "5.6.0");
	r.smtputf8 = true;
	r.protocol = STR("UTF8SMTPSA");
	cr_expect_eq(rewrite_run_with(in, &r).code, 250);
	cr_expect(str_eq(rewrite_below_trace(), in));
	cr_expect(str_eq(rewrite_from, STR("j\xc3\xbc@example.com")));
	cr_expect_eq(rewrite_run_with(STR("Subject: \xed\xa0\x80\r\n" OK_FROM), &r).code, 554);
}

Test(rewrite, maximum_of_the_output)
{
	struct header_origin r = rewrite_usual();

	buf_clear(&rewrite_out);
	buf_init(&rewrite_out, 100);
	cr_expect_eq(rewrite_run_with(STR(OK_FROM OK_REST), &r).code, 552);
}

/* ---- property: random headers ---- */

static uint64_t random_state = 1;

static unsigned
random_below(unsigned below)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((random_state >> 33) % below);
}

static void
add_random_field(struct buf *in)
{
	static const char *names[] = {"Subject", "X-A", "Comments", "List-Id", "MIME-Version",
	    "Dkim-Signature", "References", "Keywords", "In-Reply-To", "X-B"};
	static const char *words[] = {" a", "  b", "\r\n ", "\r\n\t", "\t", "<x@y>", "(", ")", "\"",
	    ":", ";", "=?q?", ",", "Bcc: v", "@", "\\", "ceo@example.com"};

	buf_addz(in, names[random_below(sizeof names / sizeof *names)]);
	buf_addc(in, ':');
	for (unsigned i = random_below(12); i > 0; i--)
		buf_addz(in, words[random_below(sizeof words / sizeof *words)]);
	buf_addz(in, "\r\n");
}

Test(rewrite, other_fields_keep_every_byte)
{
	struct header_origin r = rewrite_usual();
	struct buf in, expected;

	r.passes_duplicates = true;
	buf_init(&in, 1 << 16);
	buf_init(&expected, 1 << 16);
	for (int round = 0; round < 2000; round++) {
		buf_reset(&in);
		buf_addz(&in, OK_REST);
		for (unsigned i = random_below(20); i > 0; i--)
			add_random_field(&in);
		buf_addz(&in, OK_FROM);
		buf_reset(&expected);
		buf_adds(&expected, buf_str(&in));
		for (unsigned i = random_below(3); i > 0; i--)
			buf_addz(
			    &in, random_below(2) ? "bcc: x,\r\n y\r\n" : "Return-Path : <>\r\n");
		cr_assert_eq(
		    rewrite_run_with(buf_str(&in), &r).code, 250, "%.*s", STR_ARG(buf_str(&in)));
		cr_assert(str_eq(rewrite_below_trace(), buf_str(&expected)), "%.*s",
		    STR_ARG(buf_str(&in)));
	}
	buf_clear(&in);
	buf_clear(&expected);
}
