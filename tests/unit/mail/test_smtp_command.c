/* Command lines: what each grammar accepts, and what it refuses. */
#include <criterion/criterion.h>

#include "mail/smtp_command.h"

#define X50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define X100 X50 X50
#define S299 X100 X100 X100

Test(command, split)
{
	static const struct {
		const char *line, *verb, *args; /* verb NULL: refused */
	} cases[] = {
	    {"QUIT", "QUIT", ""},
	    {"quit  ", "quit", ""},
	    {"EHLO a", "EHLO", "a"},
	    {"BDAT 5 LAST ", "BDAT", "5 LAST"},
	    {"MAIL  FROM:<>", "MAIL", "FROM:<>"},
	    {"MAIL\tFROM:<>", "MAIL", "FROM:<>"},
	    {"RSET\t", "RSET", ""},
	    {"RSET \t ", "RSET", ""},
	    {"AUTH A\tb \t", "AUTH", "A\tb"},
	    {"EHLO \xc3\xbc", "EHLO", "\xc3\xbc"},
	    {"", NULL, NULL},
	    {" QUIT", NULL, NULL},
	    {"\tQUIT", NULL, NULL},
	    {"\t", NULL, NULL},
	    {"QU1T", NULL, NULL},
	    {"QUIT\r", NULL, NULL},
	    {"NOOP a\rb", NULL, NULL},
	    {"NOOP a\nb", NULL, NULL},
	    {"NOOP a\x7f", NULL, NULL},
	    {"NOOP \x1b[", NULL, NULL},
	    {"\x7f", NULL, NULL},
	};
	struct str verb, args;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool ok = smtp_command_split(str_of(cases[i].line), &verb, &args);

		cr_expect_eq(ok, cases[i].verb != NULL, "%s", cases[i].line);
		if (!ok)
			continue;
		cr_expect(str_eq(verb, str_of(cases[i].verb)));
		cr_expect(str_eq(args, str_of(cases[i].args)), "%s", cases[i].line);
	}
	cr_expect_not(smtp_command_split(STR("NOOP \0x"), &verb, &args));
	cr_expect_not(smtp_command_split(STR("NO\0OP"), &verb, &args));
}

Test(command, helo)
{
	static const char *yes[] = {"a", "mail.example.com", "my_pc", "host.", "[192.0.2.1]",
		"[IPv6:::1]", "b\xc3\xbcro", "2001:db8::1", "[x]", "[fe80::1%en0]"};
	static const char *no[] = {"", "a b", "a\tb", "a;b", "a(b", "a\x1b[", "a\x7f", "[]", "[",
		"[1.2.3.4", "[a[b]", "a]", "a\"b", "<a>", "\xff", "a\r", "a\\b", "a\xc2\x85", S299};

	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
		cr_expect(smtp_command_is_helo(str_of(yes[i])), "%s", yes[i]);
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		cr_expect_not(smtp_command_is_helo(str_of(no[i])), "%s", no[i]);
	cr_expect_not(smtp_command_is_helo(STR("a\0b")));
}

struct code_case {
	const char *args;
	unsigned code;
	const char *enhanced;
};

static void
expect_code(const struct code_case *c, struct smtp_status s)
{
	char enhanced[SMTP_STATUS_ENHANCED_BYTES];

	cr_expect_eq(s.code, c->code, "%s: %u %s", c->args, s.code, s.text);
	if (c->code != 250)
		cr_expect_str_eq(smtp_status_enhanced(&s, enhanced), c->enhanced, "%s", c->args);
}

static const struct code_case mail_cases[] = {
    {"FROM:<>", 250, ""},
    {"from:<a@b>", 250, ""},
    {"FROM: <a@b>", 250, ""},
    {"FROM:<a@b> SIZE=0", 250, ""},
    {"FROM:<a@b> SIZE=18446744073709551615", 250, ""},
    {"FROM:<@x:a@b>", 250, ""},
    {"FROM:<a@b> BODY=7BIT", 250, ""},
    {"FROM:<a@b> body=8bitmime", 250, ""},
    {"FROM:<a@b> SMTPUTF8", 250, ""},
    {"FROM:<a@b> RET=HDRS ENVID=x+20y", 250, ""},
    {"FROM:<a@b> RET=full", 250, ""},
    {"FROM:<a@b> AUTH=<>", 250, ""},
    {"FROM:<a@b> AUTH=a+40b", 250, ""},
    {"FROM:<a@b> ENVID=" X100, 250, ""},
    {"FROM:<\"a b\"@c> SIZE=5", 250, ""},
    {"FROM:<\xc3\xbc@b> SMTPUTF8", 250, ""},
    {"FROM:  <a@b>", 250, ""},
    {"FROM:\t<a@b>", 250, ""},
    {"FROM:<a@b> ", 250, ""},
    {"FROM:<a@b>  SIZE=1", 250, ""},
    {"FROM:<a@b>   SIZE=1  BODY=7BIT\t", 250, ""},
    {"FROM:<a@b>\t", 250, ""},
    /* form */
    {"", 501, "5.5.4"},
    {"FROM", 501, "5.5.4"},
    {"FROM <a@b>", 501, "5.5.4"},
    {"TO:<a@b>", 501, "5.5.4"},
    {" FROM:<a@b>", 501, "5.5.4"},
    {"FROM :<a@b>", 501, "5.5.4"},
    {"FROM:<a@b>x", 501, "5.5.4"},
    {"FROM:<a@b>>", 501, "5.5.4"},
    {"FROM:<a@b> SIZE =1", 501, "5.5.4"},
    {"FROM:<a@b> SIZE= 1", 501, "5.5.4"},
    {"FROM:<a@b>\tSIZE=1", 501, "5.5.4"},
    {"FROM:<a@b> SIZE=1\tBODY=7BIT", 501, "5.5.4"},
    {"FROM:<a@b> \t=", 501, "5.5.4"},
    /* address */
    {"FROM:", 553, "5.1.7"},
    {"FROM:a@b", 553, "5.1.7"},
    {"FROM:  a@b", 553, "5.1.7"},
    {"FROM:< a@b>", 553, "5.1.7"},
    {"FROM:<a@b >", 553, "5.1.7"},
    {"FROM:<a @b>", 553, "5.1.7"},
    {"FROM:<a\t@b>", 553, "5.1.7"},
    {"FROM:< >", 553, "5.1.7"},
    {"FROM:<a>", 553, "5.1.7"},
    {"FROM:<postmaster>", 553, "5.1.7"},
    {"FROM:<a@b", 553, "5.1.7"},
    {"FROM:<a@[999.1.1.1]>", 553, "5.1.7"},
    {"FROM:<a@b\x01>", 553, "5.1.7"},
    {"FROM:<" X100 "@b>", 553, "5.1.7"},
    {"FROM:<\xed\xa0\x80@b>", 553, "5.1.7"},
    {"FROM:<a@" S299 ">", 553, "5.1.7"},
    /* SIZE */
    {"FROM:<> SIZE=abc", 501, "5.5.4"},
    {"FROM:<> SIZE=-1", 501, "5.5.4"},
    {"FROM:<> SIZE=1e3", 501, "5.5.4"},
    {"FROM:<> SIZE=0x10", 501, "5.5.4"},
    {"FROM:<> SIZE=+5", 501, "5.5.4"},
    {"FROM:<> SIZE=", 501, "5.5.4"},
    {"FROM:<> SIZE", 501, "5.5.4"},
    {"FROM:<> SIZE==1", 501, "5.5.4"},
    {"FROM:<> SIZE=1 SIZE=1", 501, "5.5.4"},
    {"FROM:<> SIZE SIZE==1", 501, "5.5.4"},
    {"FROM:<> SIZE=18446744073709551616", 552, "5.3.4"},
    {"FROM:<> SIZE=18446744073709551626", 552, "5.3.4"},
    {"FROM:<> SIZE=99999999999999999999999999", 552, "5.3.4"},
    /* other parameters */
    {"FROM:<> BODY=BINARYMIME", 555, "5.5.4"},
    {"FROM:<> BODY=FOO", 555, "5.5.4"},
    {"FROM:<> BODY", 501, "5.5.4"},
    {"FROM:<> BODY=7BIT BODY=7BIT", 501, "5.5.4"},
    {"FROM:<> FOO=BAR", 555, "5.5.4"},
    {"FROM:<> FOO", 555, "5.5.4"},
    {"FROM:<> SMTPUTF8=1", 501, "5.5.4"},
    {"FROM:<> SMTPUTF8 smtputf8", 501, "5.5.4"},
    {"FROM:<> RET=FULL RET=FULL", 501, "5.5.4"},
    {"FROM:<> RET=x", 501, "5.5.4"},
    {"FROM:<> NOTIFY=NEVER", 555, "5.5.4"},
    {"FROM:<> ENVID=a+ZZ", 501, "5.5.4"},
    {"FROM:<> ENVID=+0", 501, "5.5.4"},
    {"FROM:<> ENVID=a+0d+0a", 501, "5.5.4"},
    {"FROM:<> ENVID=a+0D+0A", 501, "5.5.4"},
    {"FROM:<> ENVID=a+00", 501, "5.5.4"},
    {"FROM:<> ENVID=", 501, "5.5.4"},
    {"FROM:<> ENVID=" X100 "b", 501, "5.5.4"},
    {"FROM:<> ENVID=\xc3\xbc", 501, "5.5.4"},
    {"FROM:<> ENVID=a ENVID=b", 501, "5.5.4"},
    {"FROM:<> AUTH=", 501, "5.5.4"},
    {"FROM:<> AUTH=a+0A", 501, "5.5.4"},
    /* CVE-2020-28022 */
    {"FROM:<> =", 501, "5.5.4"},
    {"FROM:<> =x", 501, "5.5.4"},
    {"FROM:<> \" =\"", 501, "5.5.4"},
    {"FROM:<> X" S299, 555, "5.5.4"},
    {"FROM:<> =" S299, 501, "5.5.4"},
    {"FROM:<> \"=" S299 "\"", 501, "5.5.4"},
    {"FROM:<> -A=1", 501, "5.5.4"},
    {"FROM:<> A\x7f", 501, "5.5.4"},
    {"FROM:<> A=\x01", 501, "5.5.4"},
};

Test(command, mail)
{
	struct smtp_command_mail m;

	for (size_t i = 0; i < sizeof mail_cases / sizeof *mail_cases; i++)
		expect_code(
		    &mail_cases[i], smtp_command_parse_mail(str_of(mail_cases[i].args), &m));
	cr_expect_eq(smtp_command_parse_mail(STR("FROM:<> ENVID=a\0b"), &m).code, 501);
}

Test(command, mail_values)
{
	struct smtp_command_mail m;

	cr_assert_eq(smtp_command_parse_mail(STR("FROM:<@x:\"a b\"@c> "
	    "SIZE=42 BODY=8BITMIME SMTPUTF8 RET=HDRS "
					    "ENVID=a+2Bb AUTH=<>"), &m).code, 250);
	cr_expect(str_eq(m.sender.text, STR("\"a b\"@c")));
	cr_expect(m.has_size && m.size == 42 && m.body == BODY_8BITMIME && m.smtputf8 &&
	    m.has_auth);
	cr_expect_eq(m.ret, RETURN_HEADERS);
	cr_expect(str_eq(m.envid, STR("a+2Bb")));
	cr_assert_eq(smtp_command_parse_mail(STR("FROM:<>"), &m).code, 250);
	cr_expect(m.sender.text.n == 0 && !m.has_size && !m.smtputf8 && !m.has_auth &&
	    m.envid.n == 0);
}

Test(command, rcpt)
{
	static const struct code_case cases[] = {
		{"TO:<a@b>", 250, ""}, {"to: <a@b>", 250, ""}, {"TO:<postmaster>", 250, ""},
		{"TO:<@x,@y:a@b>", 250, ""}, {"TO:  <a@b>", 250, ""}, {"TO:\t<a@b>  ", 250, ""},
		{"TO:<a@b>  NOTIFY=NEVER", 250, ""},
		{"TO:<a@b> NOTIFY=NEVER", 250, ""},
		{"TO:<a@b> NOTIFY=success,failure,DELAY", 250, ""},
		{"TO:<a@b> ORCPT=rfc822;a+40b", 250, ""},
		{"TO:<a@b> NOTIFY=DELAY ORCPT=utf-8;\\x{FC}", 250, ""},
		{"TO:<\"a> ORCPT=..\"@b>", 250, ""},
		{"TO:<a@b> ORCPT=rfc822;" X100 X100 X100 X100, 250, ""},
		{"", 501, "5.5.4"}, {"FROM:<a@b>", 501, "5.5.4"}, {"TO:<>", 553, "5.1.3"},
		{"TO:<a>", 553, "5.1.3"}, {"TO:< a@b>", 553, "5.1.3"}, {"TO:<a@b >", 553, "5.1.3"},
		{"TO:<a@ b>", 553, "5.1.3"}, {"TO:<\ta@b>", 553, "5.1.3"},
		{"TO:<a@b>>", 501, "5.5.4"}, {"TO:<a@b..c>", 553, "5.1.3"},
		{"TO:<a@>", 553, "5.1.3"}, {"TO:a@b", 553, "5.1.3"},
		{"TO:<a@[]>", 553, "5.1.3"}, {"TO:<a\x7f@b>", 553, "5.1.3"},
		{"TO:<\xc3@b>", 553, "5.1.3"},
		{"TO:<a@b> NOTIFY=NEVER,SUCCESS", 501, "5.5.4"},
		{"TO:<a@b> NOTIFY=SUCCESS,NEVER", 501, "5.5.4"},
		{"TO:<a@b> NOTIFY=SUCCESS,SUCCESS", 501, "5.5.4"},
		{"TO:<a@b> NOTIFY=", 501, "5.5.4"},
		{"TO:<a@b> NOTIFY=SUCCESS,", 501, "5.5.4"}, {"TO:<a@b> NOTIFY=FOO", 501, "5.5.4"},
		{"TO:<a@b> NOTIFY=NEVER NOTIFY=NEVER", 501, "5.5.4"},
		{"TO:<a@b> NOTIFY", 501, "5.5.4"},
		{"TO:<a@b> ORCPT=noaddrtype", 501, "5.5.4"}, {"TO:<a@b> ORCPT=;a", 501, "5.5.4"},
		{"TO:<a@b> ORCPT=rfc822;", 501, "5.5.4"},
		{"TO:<a@b> ORCPT=rfc822;a+0D+0ABcc:+20v", 501, "5.5.4"},
		{"TO:<a@b> ORCPT=rfc822;a+00", 501, "5.5.4"},
		{"TO:<a@b> ORCPT=rfc822;a+4", 501, "5.5.4"},
		{"TO:<a@b> ORCPT=rfc822;a=b", 501, "5.5.4"},
		{"TO:<a@b> ORCPT=rf+0Ac;a", 501, "5.5.4"},
		{"TO:<a@b> ORCPT=rfc822;a ORCPT=rfc822;a", 501, "5.5.4"},
		{"TO:<a@b> SIZE=1", 555, "5.5.4"},
		{"TO:<a@b> ORCPT=rfc822;" X100 X100 X100 X100 X100, 501, "5.5.4"},
	};
	struct smtp_command_rcpt r;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		expect_code(&cases[i], smtp_command_parse_rcpt(str_of(cases[i].args), &r));
	cr_assert_eq(smtp_command_parse_rcpt(STR("TO:<a@b> ORCPT=rfc822;a NOTIFY=DELAY,FAILURE"),
	    &r).code, 250);
	cr_expect_eq(r.notify, NOTIFY_DELAY | NOTIFY_FAILURE);
	cr_expect(str_eq(r.orcpt, STR("rfc822;a")));
}

Test(command, bdat)
{
	static const struct {
		const char *args;
		bool ok, is_last;
		uint64_t size;
	} cases[] = {
		{"0", true, false, 0}, {"0 LAST", true, true, 0}, {"86 last", true, true, 86},
		{"18446744073709551615", true, false, UINT64_MAX},
		{"2147483647 LAST", true, true, 2147483647},
		{"", false, false, 0}, {"abc", false, false, 0}, {"-1", false, false, 0},
		{"+5", false, false, 0},
		{"0x5", false, false, 0}, {"1x", false, false, 0},
		{"18446744073709551616", false, false, 0},
		{"99999999999999999999999", false, false, 0}, {"5 FIRST", false, false, 0},
		{"5 LAST x", false, false, 0},
		{"5  LAST", false, false, 0}, {" 5", false, false, 0}, {"LAST", false, false, 0},
		{"5 ", false, false, 0},
		{"\x7f", false, false, 0}, {"1.5", false, false, 0},
	};
	struct smtp_command_bdat b;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct smtp_status s = smtp_command_parse_bdat(str_of(cases[i].args), &b);

		cr_expect_eq(s.code, cases[i].ok ? 250 : 501, "%s", cases[i].args);
		if (cases[i].ok)
			cr_expect(b.size == cases[i].size && b.is_last == cases[i].is_last);
	}
}

Test(command, auth)
{
	struct smtp_command_auth a;

	cr_assert_eq(smtp_command_parse_auth(STR("PLAIN"), &a).code, 250);
	cr_expect(str_eq(a.mechanism, STR("PLAIN")) && !a.has_initial);
	cr_assert_eq(smtp_command_parse_auth(STR("scram-sha-256-plus AAA="), &a).code, 250);
	cr_expect(a.has_initial && str_eq(a.initial, STR("AAA=")));
	cr_assert_eq(smtp_command_parse_auth(STR("LOGIN ="), &a).code, 250);
	cr_expect(a.has_initial && a.initial.n == 0);
	cr_assert_eq(smtp_command_parse_auth(STR("ABCDEFGHIJKLMNOPQRST"), &a).code, 250);
	cr_expect_eq(smtp_command_parse_auth(STR(""), &a).code, 501);
	cr_assert_eq(smtp_command_parse_auth(STR("PLAIN  AAA="), &a).code, 250);
	cr_expect(str_eq(a.mechanism, STR("PLAIN")) && str_eq(a.initial, STR("AAA=")));
	cr_assert_eq(smtp_command_parse_auth(STR("PLAIN \t AAA= "), &a).code, 250);
	cr_expect(str_eq(a.initial, STR("AAA=")));
	cr_assert_eq(smtp_command_parse_auth(STR("PLAIN "), &a).code, 250);
	cr_expect_not(a.has_initial);
	cr_expect_eq(smtp_command_parse_auth(STR(" PLAIN"), &a).code, 501);
	cr_expect_eq(smtp_command_parse_auth(STR("PLAIN a b"), &a).code, 501);
	cr_expect_eq(smtp_command_parse_auth(STR("PL;AIN"), &a).code, 501);
	cr_expect_eq(smtp_command_parse_auth(STR("ABCDEFGHIJKLMNOPQRSTU"), &a).code, 501);
}

Test(command, orcpt_of_500_octets_is_the_longest)
{
	struct smtp_command_rcpt r;
	struct buf b;

	buf_init(&b, 1024);
	buf_addz(&b, "TO:<a@b> ORCPT=rfc822;");
	while (b.n < sizeof "TO:<a@b> ORCPT=" - 1 + 500)
		buf_addc(&b, 'x');
	cr_expect_eq(smtp_command_parse_rcpt(buf_str(&b), &r).code, 250);
	cr_expect_eq(r.orcpt.n, 500);
	buf_addc(&b, 'x');
	cr_expect_eq(smtp_command_parse_rcpt(buf_str(&b), &r).code, 501);
	buf_clear(&b);
}
