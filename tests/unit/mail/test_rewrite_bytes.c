/* The octets that a repaired header may hold, and the form of its lines and names. */
#include <stdio.h>

#include "rewrite_rig.h"

TestSuite(rewrite_bytes, .init = rewrite_set_up, .fini = rewrite_tear_down);

/* The header ends within From (a BDAT chunk may end anywhere): "From: (xxx) alice", a line that has
 * `octets` with "@example.com", and no CRLF. */
static unsigned
end_within_from(size_t octets)
{
	struct header_origin r = rewrite_usual();
	unsigned code;
	struct buf in;

	buf_init(&in, 1 << 16);
	buf_addz(&in, OK_REST "From:(");
	while (in.n < sizeof OK_REST - 1 + octets - sizeof ")alice@example.com" + 1)
		buf_addc(&in, 'x');
	buf_addz(&in, ")alice");
	code = rewrite_run_with(buf_str(&in), &r).code;
	if (code == 250)
		cr_expect_eq(
		    str_rfind(buf_str(&rewrite_out), '\n') -
		        str_rfind(str_upto(buf_str(&rewrite_out), rewrite_out.n - 2), '\n'),
		    octets + 2);
	buf_clear(&in);
	return code;
}

Test(rewrite_bytes, a_header_that_ends_within_from_gets_no_line_over_998_octets)
{
	cr_expect_eq(end_within_from(HEADER_LINE_MAX - 1), 250);
	cr_expect_eq(end_within_from(HEADER_LINE_MAX), 250);
	cr_expect_eq(end_within_from(HEADER_LINE_MAX + 1), 554);
}

/* ---- control characters ---- */

static const char *const controls[] = {"\x01", "\x08", "\x0b", "\x0c", "\x0e", "\x1b", "\x1c",
    "\x1d", "\x1e", "\x1f", "\x7f", "\xc2\x80", "\xc2\x85", "\xc2\x9f", "\xe2\x80\xa8",
    "\xe2\x80\xa9"};
enum { CONTROLS = sizeof controls / sizeof *controls };

static struct smtp_status
run_utf8(const char *in)
{
	struct header_origin r = rewrite_usual();

	r.smtputf8 = true;
	return rewrite_run_with(str_of(in), &r);
}

Test(rewrite_bytes, control_characters_in_text_fields_become_blanks)
{
	static const char *names[] = {
	    "Subject", "Comments", "X-Mailer", "References", "Content-Type", "Bccc"};
	char in[256], result[256];

	for (size_t i = 0; i < CONTROLS; i++)
		for (size_t j = 0; j < sizeof names / sizeof *names; j++) {
			snprintf(in, sizeof in, "%s: a%sFrom: ceo@example.com\r\n%s", names[j],
			    controls[i], OK_FROM OK_REST);
			snprintf(result, sizeof result, "%s: a From: ceo@example.com\r\n%s",
			    names[j], OK_FROM OK_REST);
			cr_expect_eq(run_utf8(in).code, 250, "%s", in);
			cr_expect(str_eq(rewrite_below_trace(), str_of(result)), "%s", in);
		}
	/* in a folded line, at its end, several in a row, and none in TAB */
	rewrite_expect("Subject: a\x0b\x0b\r\n\x09\x0c b\x1e\r\n" OK_FROM OK_REST,
	    "Subject: a  \r\n\x09  b \r\n" OK_FROM OK_REST);
}

Test(rewrite_bytes, control_characters_in_parsed_fields_are_refused)
{
	static const char *fields[] = {"From: a%b <alice@example.com>\r\n",
	    OK_FROM "Sender: a% <alice@example.com>\r\n", OK_FROM "Reply-To: bob@example.net%\r\n",
	    OK_FROM "To: bob@example.net%\r\n", OK_FROM "Cc: \"a%b\" <c@d>\r\n",
	    OK_FROM "Date: x%\r\n", OK_FROM "Message-ID: <a%@b>\r\n", OK_FROM "Received: by x%\r\n",
	    OK_FROM "Resent-From: alice@example.com (%)\r\n", OK_FROM "Resent-To: b%\r\n",
	    OK_FROM "Resent-Date:%\r\n"};
	char in[256];

	for (size_t i = 0; i < CONTROLS; i++)
		for (size_t j = 0; j < sizeof fields / sizeof *fields; j++) {
			size_t at = strcspn(fields[j], "%");
			struct smtp_status s;

			snprintf(in, sizeof in, "%.*s%s%s", (int)at, fields[j], controls[i],
			    fields[j] + at + 1);
			s = run_utf8(in);
			cr_expect(s.code == 554 && s.subject == 6 && s.detail == 0, "%s: %u %s", in,
			    s.code, s.text);
			cr_expect(strstr(s.text, " header field: control character"), "%s", s.text);
		}
	/* a field that is removed needs no refusal */
	rewrite_expect("Bcc: v\x0b@x\r\nReturn-Path: \x1c\r\n" OK_FROM OK_REST, OK_FROM OK_REST);
}

/* ---- form ---- */

Test(rewrite_bytes, blanks_before_a_colon_are_removed)
{
	rewrite_expect("From : alice@example.com\r\nX-A \t :b\r\nTo\t: bob\r\n" OK_REST,
	    "From: alice@example.com\r\nX-A:b\r\nTo: bob@example.com\r\n" OK_REST);
}

Test(rewrite_bytes, a_long_list_is_folded_before_it_is_parsed)
{
	struct buf in;
	struct header_origin r = rewrite_usual();

	buf_init(&in, 1 << 16);
	buf_addz(&in, OK_FROM OK_REST "To:");
	for (int i = 0; i < 60; i++)
		buf_addf(&in, "%s recipient.number.%d@example.net", i ? "," : "", i);
	buf_addz(&in, ", bob\r\n");
	cr_assert_eq(rewrite_run_with(buf_str(&in), &r).code, 250);
	cr_expect(memmem(rewrite_out.p, rewrite_out.n, ",\r\n recipient", 13));
	cr_expect(memmem(rewrite_out.p, rewrite_out.n, "bob@example.com\r\n", 17));
	buf_clear(&in);
}

Test(rewrite_bytes, a_word_of_999_octets_is_refused)
{
	static const char end[] = "\r\n" OK_FROM OK_REST;
	char in[1200] = "References: ";

	memset(in + 12, 'x', 998);
	memcpy(in + 12 + 998, end, sizeof end);
	rewrite_expect_refusal(str_of(in), 554, "5.6.0");
	/* folded after the colon it fits: a blank and 997 octets */
	memcpy(in + 12 + 997, end, sizeof end);
	cr_expect_eq(rewrite_run(in).code, 250);
}

/* ---- display names ---- */

static bool
may_all(const struct mail_address *a, void *arg)
{
	(void)arg;
	return str_eq(a->domain, STR("example.com"));
}

/* Completed, "QUJD@example.com" would be no base64 any more, and the field could not be parsed
 * again. */
Test(rewrite_bytes, an_encoded_word_that_begins_in_a_comment_is_not_completed)
{
	struct header_origin r = rewrite_usual();

	r.may = may_all;
	cr_expect_eq(rewrite_run_with(STR("From: (=?x)y?B?QUJD\r\n"), &r).code, 554);
	cr_expect_eq(rewrite_run_with(STR("From: (=?x)y?B?QUJD"), &r).code, 554);
	cr_expect_eq(rewrite_run_with(STR("From: (x)y?B?QUJD"), &r).code, 250);
}

Test(rewrite_bytes, the_address_that_a_name_shows_is_in_the_refusal)
{
	struct smtp_status s =
	    rewrite_run("From: =?utf-8?q?ceo=40bank.example?= <alice@example.com>\r\n" OK_REST);

	cr_expect(s.code == 550 && s.subject == 7 && s.detail == 1);
	cr_expect_str_eq(
	    s.text, "alice@example.com may not use ceo@bank.example as a name in From");
	cr_expect(str_eq(rewrite_from, STR("ceo@bank.example")));
}

Test(rewrite_bytes, the_names_of_every_originator_field_are_checked)
{
	rewrite_expect_refusal(
	    STR(OK_FROM "Sender: =?utf-8?q?a=3C?= <alice@example.com>\r\n" OK_REST), 554, "5.6.0");
	rewrite_expect_refusal(
	    STR("Resent-From: =?utf-8?q?a=3C?= <alice@example.com>\r\n" OK_FROM OK_REST), 554,
	    "5.6.0");
	rewrite_expect_refusal(
	    STR("Resent-Sender: =?utf-7?q?a?= <alice@example.com>\r\n" OK_FROM OK_REST), 554,
	    "5.6.0");
	cr_expect_eq(
	    rewrite_run(OK_FROM "Reply-To: =?utf-8?q?ceo=40bank.example?= <x@y>\r\n" OK_REST).code,
	    250);
}
