/* Statuses: hostile text is made printable, and an enhanced code is used only when it fits the
 * code. */
#include <criterion/criterion.h>
#include <errno.h>

#include "mail/smtp_status.h"

static void
expect_text(struct str in, const char *text)
{
	struct smtp_status s = smtp_status_remote(550, in);

	cr_expect_str_eq(s.text, text, "%.*s", STR_ARG(in));
}

Test(status, remote_text_is_made_printable)
{
	expect_text(STR("no such user"), "no such user");
	expect_text(STR("\x1b[2Jgone"), "?[2Jgone");
	expect_text(STR("a\r\nSubject: x"), "a??Subject: x");
	expect_text(STR("a\tb"), "a b");
	expect_text(STR("a\0b"), "a?b");
	expect_text(STR("caf\xe9"), "caf?");
	expect_text(STR("caf\xc3\xa9"), "caf\xc3\xa9");
	expect_text(STR("\xc2\x9b" "2J"), "??2J");
	expect_text(STR("\xed\xa0\x80 \xc0\xaf \xff\xfe \xf8\x88\x80\x80\x80"), "??? ?? ?? ?????");
	expect_text(STR("\xf0\x9f\x92\x8c\x7f"), "\xf0\x9f\x92\x8c?");
	expect_text(STR("\xf0\x9f\x92"), "???");
	expect_text(STR(""), "");
}

Test(status, is_remote_for_replies_of_other_hosts)
{
	struct smtp_status s = smtp_status_remote(550, STR("5.1.1 no such user"));

	cr_expect(s.is_remote);
	cr_expect(smtp_status_remote(999, STR("")).is_remote);
	s = smtp_status_make(451, "4.4.1", "connection refused");
	cr_expect_not(s.is_remote);
}

Test(status, remote_enhanced_code_must_fit)
{
	static const struct {
		unsigned code;
		const char *text, *enhanced, *rest;
	} cases[] = {
		{550, "5.1.1 unknown", "5.1.1", "unknown"},
		{550, "5.1.1", "5.1.1", ""},
		{550, "5.123.999 x", "5.123.999", "x"},
		{550, "4.1.1 unknown", "5.0.0", "4.1.1 unknown"},
		{450, "5.1.1 unknown", "4.0.0", "5.1.1 unknown"},
		{250, "2.0.0 Ok", "2.0.0", "Ok"},
		{550, "5.1.1234 x", "5.0.0", "5.1.1234 x"},
		{550, "5.1 x", "5.0.0", "5.1 x"},
		{550, "5.1.1x", "5.0.0", "5.1.1x"},
		{550, "5..1 x", "5.0.0", "5..1 x"},
		{550, "5.1.", "5.0.0", "5.1."},
		{550, "127.0.0.1 x", "5.0.0", "127.0.0.1 x"},
		{354, "3.0.0 go", "2.0.0", "3.0.0 go"},
		{354, "go", "2.0.0", "go"},
	};
	char enhanced[SMTP_STATUS_ENHANCED_BYTES];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct smtp_status s = smtp_status_remote(cases[i].code, str_of(cases[i].text));

		cr_expect_eq(s.code, cases[i].code);
		cr_expect_str_eq(smtp_status_enhanced(&s, enhanced), cases[i].enhanced, "%s",
		    cases[i].text);
		cr_expect_str_eq(s.text, cases[i].rest);
	}
	cr_expect(smtp_status_is_temporary(
	    &(struct smtp_status){.code = smtp_status_remote(999, STR("x")).code}));
	cr_expect_eq(smtp_status_remote(0, STR("x")).code, 451);
}

Test(status, long_text_is_cut_between_characters)
{
	char text[3 * 1024];

	for (size_t i = 0; i + 3 <= sizeof text; i += 3)
		memcpy(text + i, "\xe2\x82\xac", 3);
	for (size_t shift = 0; shift < 3; shift++) {
		struct smtp_status s;

		memset(text, 'a', shift);
		memmove(text + shift, text + 3, sizeof text - 3 - shift);
		s = smtp_status_remote(550, str_make(text, sizeof text - 6));
		cr_expect(str_is_utf8(str_of(s.text)));
		cr_expect_geq(strlen(s.text), SMTP_STATUS_TEXT_BYTES - 4);
		cr_expect_lt(strlen(s.text), SMTP_STATUS_TEXT_BYTES);
	}
}

static void
expect_reply(struct smtp_status s, const char *line)
{
	struct buf out;

	buf_init(&out, 4096);
	smtp_status_reply(&s, &out);
	cr_expect(str_eq(buf_str(&out), str_of(line)), "%.*s", STR_ARG(buf_str(&out)));
	cr_expect_leq(out.n, 512);
	buf_clear(&out);
}

Test(status, reply_is_one_line)
{
	char big[5000];

	expect_reply(smtp_status_make(550, "5.7.1", "%s may not", "alice"),
	    "550 5.7.1 alice may not\r\n");
	expect_reply(smtp_status_make(220, NULL, "mx ESMTP"), "220 mx ESMTP\r\n");
	expect_reply(smtp_status_make(334, NULL, "%s", ""), "334 \r\n");
	expect_reply(smtp_status_make(250, "2.0.0", "%s", ""), "250 2.0.0\r\n");
	expect_reply(smtp_status_make(250, "2.1.0", "a\r\n250 b"), "250 2.1.0 a??250 b\r\n");
	memset(big, 'x', sizeof big);
	big[sizeof big - 1] = '\0';
	cr_expect_eq(
	    strlen(smtp_status_make(550, "5.0.0", "%s", big).text), SMTP_STATUS_TEXT_BYTES - 1);
}

Test(status, classes)
{
	struct smtp_status ok = smtp_status_make(250, "2.0.0", "x"),
	                   no = smtp_status_make(550, "5.0.0", "x"),
	                   later = smtp_status_make(450, "4.0.0", "x"), none = {0};

	cr_expect(smtp_status_is_ok(&ok) && !smtp_status_is_temporary(&ok) &&
	          !smtp_status_is_permanent(&ok));
	cr_expect(!smtp_status_is_ok(&no) && !smtp_status_is_temporary(&no) &&
	          smtp_status_is_permanent(&no));
	cr_expect(!smtp_status_is_ok(&later) && smtp_status_is_temporary(&later));
	cr_expect(!smtp_status_is_ok(&none) && !smtp_status_is_temporary(&none) &&
	    !smtp_status_is_permanent(&none));
}

/* Only an error that means a full disk is reported as one. */
Test(status, not_stored)
{
	static const struct {
		int error;
		unsigned code;
	} cases[] = {
	    {ENOSPC, 452}, {EDQUOT, 452}, {EIO, 451}, {EROFS, 451}, {EMFILE, 451}, {0, 451}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct smtp_status s = smtp_status_not_stored(cases[i].error);
		char enhanced[SMTP_STATUS_ENHANCED_BYTES];

		cr_expect_eq(s.code, cases[i].code, "%s: %u", strerror(cases[i].error), s.code);
		cr_expect_str_eq(smtp_status_enhanced(&s, enhanced),
		    cases[i].code == 452           ? "4.3.1"
			: cases[i].error == EMFILE ? "4.3.5"
						   : "4.3.0");
	}
}
