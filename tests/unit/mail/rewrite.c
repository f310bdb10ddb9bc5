/* Repairs of a submission: what is added, what is removed, who may say what; the rest to the byte.
 * */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/clock.h"
#include "mail/rewrite.h"

#define NOW_MS 1795280272104
#define ADDED \
	"Date: Sat, 21 Nov 2026 16:57:52 +0000\r\nMessage-ID: <1R8K3M7Q4TB2-1@mail.example.com>\r\n"
#define TOP \
	"Received: by mail.example.com (sallyport) with ESMTPSA (TLSv1.3)\r\n\t" \
	"id 1R8K3M7Q4TB2-1;\r\n\t"

static struct arena arena;
static struct buf out;
static struct str from;

static void
set_up(void)
{
	setenv("TZ", "UTC", 1);
	arena_init(&arena, 1 << 20);
	buf_init(&out, 128 << 10);
}

static void
tear_down(void)
{
	arena_clear(&arena);
	buf_clear(&out);
}

TestSuite(rewrite, .init = set_up, .fini = tear_down);

static bool
may(const struct address *a, void *arg)
{
	static const char *own[] = {"alice@example.com", "sales@example.com", "\"a b\"@example.com",
		"j\xc3\xbc@example.com"};
	struct address b;

	(void)arg;
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (address_parse(str_of(own[i]), &b, NULL) && address_same(a, &b))
			return true;
	return false;
}

static struct rewrite
usual(void)
{
	return (struct rewrite){
		.hostname = STR("mail.example.com"), .domain = STR("example.com"),
		.user = STR("alice@example.com"), .sender = STR("alice@example.com"),
		.id = STR("1R8K3M7Q4TB2-1"), .protocol = STR("ESMTPSA"), .tls = STR("TLSv1.3"),
		.now_ms = NOW_MS, .may = may,
	};
}

static struct status
run_with(struct str in, const struct rewrite *r)
{
	struct header h;
	struct status s;

	buf_reset(&out);
	arena_clear(&arena);
	s = header_parse(in, &arena, &h);
	return s.code == 250 ? rewrite_submission(&h, r, &arena, &out, &from) : s;
}

static struct status
run(const char *in)
{
	struct rewrite r = usual();

	return run_with(str_of(in), &r);
}

/* The new header without the Received field on top. */
static struct str
below_trace(void)
{
	struct str s = buf_str(&out);

	cr_assert(str_starts(s, STR("Received:")));
	do
		s = str_from(s, str_find(s, '\n') + 1);
	while (s.n && (s.p[0] == '\t' || s.p[0] == ' '));
	return s;
}

static void
expect(const char *in, const char *result)
{
	struct status s = run(in);

	cr_expect_eq(s.code, 250, "%s: %u %s", in, s.code, s.text);
	if (s.code == 250)
		cr_expect(str_eq(below_trace(), str_of(result)), "%s ->\n%.*s", in,
		    STR_ARG(below_trace()));
}

static void
refuse(struct str in, unsigned code, const char *enhanced)
{
	struct rewrite r = usual();
	struct status s = run_with(in, &r);
	char text[STATUS_ENHANCED_BYTES];

	cr_expect_eq(s.code, code, "%.*s: %u %s", STR_ARG(in), s.code, s.text);
	cr_expect_str_eq(status_enhanced(&s, text), enhanced, "%.*s: %s", STR_ARG(in), s.text);
	/* the address that is not the user's, for the log */
	if (code == 550)
		cr_expect(from.n > 0 && strstr(s.text, "may not send as ") &&
		    str_eq(str_of(strstr(s.text, " as ") + 4), from), "%.*s: %s", STR_ARG(from), s.text);
	else
		cr_expect_eq(from.n, 0);
}

#define OK_FROM "From: alice@example.com\r\n"
#define OK_REST "Date: x\r\nMessage-ID: <y@z>\r\n"

Test(rewrite, missing_fields_are_added)
{
	expect(OK_FROM OK_REST, OK_FROM OK_REST);
	expect("", OK_FROM ADDED);
	expect(OK_FROM, OK_FROM ADDED);
	expect("Subject: x\r\n" OK_REST, "Subject: x\r\n" OK_REST OK_FROM);
	cr_expect(str_eq(from, STR("alice@example.com")));
	expect("DATE : x\r\nfrom:sales@example.com\r\nmessage-Id:y\r\n",
	    "DATE : x\r\nfrom:sales@example.com\r\nmessage-Id:y\r\n");
	cr_expect(str_eq(from, STR("sales@example.com")));
	expect("Subject: cut" , "Subject: cut\r\n" OK_FROM ADDED);
}

Test(rewrite, no_from_and_no_sender)
{
	struct rewrite r = usual();

	r.sender = STR_NULL;
	cr_expect_eq(run_with(STR("Subject: x\r\n"), &r).code, 554);
	cr_expect_eq(run_with(STR(OK_FROM), &r).code, 250);
}

Test(rewrite, received)
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
		struct rewrite r = usual();

		r.client = cases[i].client;
		r.helo = cases[i].helo;
		r.for_recipient = cases[i].recipient;
		cr_assert_eq(run_with(STR(OK_FROM OK_REST), &r).code, 250);
		cr_expect(str_starts(buf_str(&out), str_of(cases[i].line)), "%.*s",
		    STR_ARG(buf_str(&out)));
		cr_expect(str_eq(below_trace(), STR(OK_FROM OK_REST)));
	}
}

Test(rewrite, blind_copies_and_return_path_are_removed)
{
	static const char *blind[] = {"Bcc: v@x\r\n", "bCC :v@x\r\n",
	    "Bcc\t : v@x,\r\n w@x,\r\n\tz@x\r\n",
		"BCC:\r\n", "Return-Path: <v@x>\r\n", "Bcc: \"unclosed\r\n",
		    "Bcc: v@x\r\nBcc: w@x\r\n"};
	char in[512];

	for (size_t i = 0; i < sizeof blind / sizeof *blind; i++) {
		snprintf(in, sizeof in, "%s%s", blind[i], OK_FROM OK_REST);
		expect(in, OK_FROM OK_REST);
		snprintf(in, sizeof in, "%s%s%s", OK_FROM, blind[i], OK_REST);
		expect(in, OK_FROM OK_REST);
		snprintf(in, sizeof in, "%s%s", OK_FROM OK_REST, blind[i]);
		expect(in, OK_FROM OK_REST);
	}
	expect(OK_FROM OK_REST "X-Bcc: v\r\nBccc: v\r\nSubject: a\r\n Bcc: v\r\n",
	    OK_FROM OK_REST "X-Bcc: v\r\nBccc: v\r\nSubject: a\r\n Bcc: v\r\n");
}

/* Who wrote it: every way to say someone else's name, or to say it so that programs differ. */
Test(rewrite, from_of_another_is_refused)
{
	static const char *others[] = {
		"From: ceo@example.com\r\n", "From : ceo@example.com\r\n",
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
		"From: alice+x@example.com\r\n", "From: \"alice \"@example.com\r\n",
		    "From: ceo\r\n",
		"From: ceo@example.com\r\nFROM : alice@example.com\r\n",
		"From: alice%example.com@evil.example\r\n", "From: evil!alice@example.com\r\n",
	};
	static const char *unclear[] = {
		"From: alice@example.com\r\nFrom: ceo@example.com\r\n",
		"From: <alice@example.com> <ceo@example.com>\r\n",
		    "From: <ceo@example.com> <alice@example.com>\r\n",
		"From: ceo@example.com <alice@example.com>\r\n", "From: al(c)ice@example.com\r\n",
		"From: alice@(ceo@)example.com\r\n", "From: alice @ example.com\r\n",
		    "From: \"alice@example.com\r\n",
		"From: <alice@example.com\r\n", "From: alice@example.com (x\r\n", "From:\r\n",
		    "From: ,\r\n", "From: x:;\r\n",
		"From: =?utf-8?q?ceo=40example.com=3e=00?=alice@example.com\r\n", "From: <>\r\n",
		"From: =?utf-8?q?alice?=@example.com\r\n",
		    "From: =?utf-8?q?ceo=40example.com=00?= <alice@example.com>\r\n",
		"From: alice@example..com\r\n", "From: alice@[999.1.1.1]\r\n",
		    "From: alice@example.com;\r\n",
		"From: ((((alice@example.com\r\n",
	};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		struct status s = run(others[i]);

		cr_expect_eq(s.code, 550, "%s: %u %s", others[i], s.code, s.text);
	}
	for (size_t i = 0; i < sizeof unclear / sizeof *unclear; i++)
		refuse(str_of(unclear[i]), 554, "5.6.0");
	refuse(STR("X: 1\rFrom: ceo@example.com\r\n" OK_FROM), 554, "5.6.0");
	refuse(STR("From: alice@example.com\0ceo@example.com\r\n"), 554, "5.6.0");
}

Test(rewrite, refusal_names_both)
{
	struct status s = run("From: CEO <ceo@example.com>\r\n");

	cr_expect_str_eq(s.text, "alice@example.com may not send as ceo@example.com");
	cr_expect(s.code == 550 && s.subject == 7 && s.detail == 1);
}

Test(rewrite, own_addresses_in_many_spellings)
{
	static const char *own[] = {"Alice <ALICE@Example.Com>", "\"alice\"@example.com",
	    "<@x:alice@example.com>",
		"\"Boss, The\" (x) <sales@example.com> (y)", "G: alice@example.com;",
		"=?utf-8?Q?Al=C3=AFce?= <alice@example.com>", "\"a b\"@example.com"};
	char in[256];

	for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
		snprintf(in, sizeof in, "From: %s\r\n" OK_REST, own[i]);
		expect(in, in);
	}
}

Test(rewrite, sender)
{
	expect(OK_FROM "Sender: sales@example.com\r\n" OK_REST,
	    OK_FROM "Sender: sales@example.com\r\n" OK_REST);
	refuse(STR(OK_FROM "Sender: ceo@example.com\r\n" OK_REST), 550, "5.7.1");
	refuse(STR(OK_FROM "Sender: alice@example.com, sales@example.com\r\n"), 554, "5.6.0");
	refuse(STR(OK_FROM "Sender: sales@example.com\r\nSENDER: sales@example.com\r\n"), 554,
	    "5.6.0");
	refuse(STR(OK_FROM "Sender:\r\n"), 554, "5.6.0");
	refuse(STR(OK_FROM "Sender: a (\r\n"), 554, "5.6.0");
	expect("From: alice@example.com, sales@example.com\r\n" OK_REST,
	    "From: alice@example.com, sales@example.com\r\n"
	    OK_REST "Sender: alice@example.com\r\n");
	cr_expect(str_eq(from, STR("alice@example.com")));
	expect("From: alice@example.com, sales@example.com\r\n"
	    "Sender: sales@example.com\r\n" OK_REST,
	    "From: alice@example.com, sales@example.com\r\nSender: sales@example.com\r\n" OK_REST);
}

Test(rewrite, bare_names_are_completed)
{
	expect("From: Alice <alice>\r\nTo: bob, C <c@d>,\r\n dora (x)\r\nCc: G: e, f@g;\r\n"
	    "Reply-To: \"h i\"\r\n" OK_REST,
	    "From: Alice <alice@example.com>\r\nTo: bob@example.com, C <c@d>,\r\n"
	    " dora@example.com (x)\r\n"
	    "Cc: G: e@example.com, f@g;\r\nReply-To: \"h i\"@example.com\r\n" OK_REST);
	cr_expect(str_eq(from, STR("alice@example.com")));
	/* unreadable lists of recipients decide nothing and stay */
	expect(OK_FROM OK_REST "To: a b\r\nCc: \"x\r\nReply-To: <>\r\n", OK_FROM OK_REST
	    "To: a b\r\nCc: \"x\r\nReply-To: <>\r\n");
	expect(OK_FROM OK_REST "To: a . b\r\nSubject: bob\r\n",
	    OK_FROM OK_REST "To: a . b\r\nSubject: bob\r\n");
}

Test(rewrite, without_a_domain_nothing_is_completed)
{
	struct rewrite r = usual();

	r.domain = STR_NULL;
	cr_expect_eq(run_with(STR(OK_FROM "To: bob\r\n" OK_REST), &r).code, 250);
	cr_expect(str_eq(below_trace(), STR(OK_FROM "To: bob\r\n" OK_REST)));
	cr_expect_eq(run_with(STR("From: alice\r\n"), &r).code, 554);
}

/* "To: a,xxx…": with "@example.com" behind both, the line has `octets`. */
static unsigned
complete_line_of(size_t octets)
{
	struct rewrite r = usual();
	struct buf in;
	size_t n = octets - 2 * (sizeof "@example.com" - 1);
	unsigned code;

	buf_init(&in, 1 << 16);
	buf_addz(&in, "To: a,");
	while (in.n < n)
		buf_addc(&in, 'x');
	buf_addz(&in, "\r\n" OK_FROM OK_REST);
	code = run_with(buf_str(&in), &r).code;
	if (code == 250)
		cr_expect_eq(str_find(below_trace(), '\r'), octets);
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
	expect(RESENT "Resent-Date: d\r\nResent-Message-ID: <m@n>\r\n" OK_FROM OK_REST,
	    RESENT "Resent-Date: d\r\nResent-Message-ID: <m@n>\r\n" OK_FROM OK_REST);
	expect(RESENT OK_FROM OK_REST,
	    "Resent-Date: Sat, 21 Nov 2026 16:57:52 +0000\r\n"
	    "Resent-Message-ID: <1R8K3M7Q4TB2-1@mail.example.com>\r\n"
	    RESENT OK_FROM OK_REST);
	/* the older block has a date, the newer one has none */
	expect("Received: x\r\n" RESENT "Resent-Message-ID: <m@n>\r\n"
	    RESENT "Resent-Date: old\r\n" OK_FROM OK_REST,
	    "Received: x\r\n"
	    "Resent-Date: Sat, 21 Nov 2026 16:57:52 +0000\r\n" RESENT "Resent-Message-ID: <m@n>\r\n"
	    RESENT "Resent-Date: old\r\n" OK_FROM OK_REST);
	expect("Resent-To: b\r\nResent-BCC : v@x\r\nResent-Date: d\r\n"
	    "Resent-Message-ID: <m@n>\r\n" OK_FROM OK_REST,
	    "Resent-From: alice@example.com\r\nResent-To: b@example.com\r\nResent-Date: d\r\n"
	    "Resent-Message-ID: <m@n>\r\n"
	    OK_FROM OK_REST);
	refuse(STR("Resent-From: ceo@example.com\r\n" OK_FROM OK_REST), 550, "5.7.1");
	refuse(STR(RESENT "Resent-Sender: ceo@example.com\r\n" OK_FROM OK_REST), 550, "5.7.1");
	refuse(STR(RESENT OK_FROM "Resent-From: ceo@example.com\r\n" OK_REST), 550, "5.7.1");
	refuse(STR(RESENT "Resent-Sender: alice@example.com (\r\n" OK_FROM), 554, "5.6.0");
}

Test(rewrite, loops)
{
	struct rewrite r = usual();
	struct buf in;

	buf_init(&in, 1 << 16);
	for (int i = 0; i < REWRITE_RECEIVED_MAX; i++)
		buf_addz(&in, "received: by x\r\n");
	buf_addz(&in, OK_FROM OK_REST);
	cr_expect_eq(run_with(buf_str(&in), &r).code, 250);
	cr_expect(str_eq(below_trace(), buf_str(&in)));
	buf_addz(&in, "Received : by x\r\n");
	refuse(buf_str(&in), 554, "5.4.6");
	buf_clear(&in);
}

Test(rewrite, beyond_ascii)
{
	struct rewrite r = usual();
	static const struct str utf8 = {"Subject: gr\xc3\xbc\xc3\x9f\r\n"
	    "From: j\xc3\xbc@example.com\r\n" OK_REST, 0};
	struct str in = str_of(utf8.p);

	refuse(in, 554, "5.6.7");
	refuse(STR("Subject: gr\xfc\xdf\r\n" OK_FROM), 554, "5.6.0");
	r.smtputf8 = true;
	r.protocol = STR("UTF8SMTPSA");
	cr_expect_eq(run_with(in, &r).code, 250);
	cr_expect(str_eq(below_trace(), in));
	cr_expect(str_eq(from, STR("j\xc3\xbc@example.com")));
	cr_expect_eq(run_with(STR("Subject: \xed\xa0\x80\r\n" OK_FROM), &r).code, 554);
}

Test(rewrite, ceiling_of_the_output)
{
	struct rewrite r = usual();

	buf_clear(&out);
	buf_init(&out, 100);
	cr_expect_eq(run_with(STR(OK_FROM OK_REST), &r).code, 552);
}

/* ---- property: random headers ---- */

static uint64_t dice = 1;

static unsigned
draw(unsigned below)
{
	dice = dice * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((dice >> 33) % below);
}

static void
add_random_field(struct buf *in)
{
	static const char *names[] = {"Subject", "X-A", "Comments", "List-Id", "MIME-Version",
	    "Dkim-Signature",
		"References", "Keywords", "In-Reply-To", "X-B "};
	static const char *words[] = {" a", "  b", "\r\n ", "\r\n\t", "\t", "<x@y>", "(", ")", "\"",
	    ":", ";", "=?q?",
		",", "Bcc: v", "@", "\\", "\x01", "ceo@example.com"};

	buf_addz(in, names[draw(sizeof names / sizeof *names)]);
	buf_addc(in, ':');
	for (unsigned i = draw(12); i > 0; i--)
		buf_addz(in, words[draw(sizeof words / sizeof *words)]);
	buf_addz(in, "\r\n");
}

Test(rewrite, untouched_fields_keep_every_byte)
{
	struct rewrite r = usual();
	struct buf in, kept;

	buf_init(&in, 1 << 16);
	buf_init(&kept, 1 << 16);
	for (int round = 0; round < 2000; round++) {
		buf_reset(&in);
		buf_addz(&in, OK_REST);
		for (unsigned i = draw(20); i > 0; i--)
			add_random_field(&in);
		buf_addz(&in, OK_FROM);
		buf_reset(&kept);
		buf_adds(&kept, buf_str(&in));
		for (unsigned i = draw(3); i > 0; i--)
			buf_addz(&in, draw(2) ? "bcc: x,\r\n y\r\n" : "Return-Path : <>\r\n");
		cr_assert_eq(run_with(buf_str(&in), &r).code, 250, "%.*s", STR_ARG(buf_str(&in)));
		cr_assert(str_eq(below_trace(), buf_str(&kept)), "%.*s", STR_ARG(buf_str(&in)));
	}
	buf_clear(&in);
	buf_clear(&kept);
}
