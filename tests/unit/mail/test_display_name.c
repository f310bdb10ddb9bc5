/* The text that From shows beside its addresses: which names are allowed, and which show a false
 * address. */
#include <criterion/criterion.h>

#include "mail/display_name.h"

static struct arena arena;
static struct str shown;

static void
set_up(void)
{
	arena_init(&arena, 8 << 20);
}

static void
tear_down(void)
{
	arena_clear(&arena);
}

TestSuite(display_name, .init = set_up, .fini = tear_down);

static bool
may_use(const struct mail_address *a, void *arg)
{
	(void)arg;
	return str_ieq(a->text, STR("kim@work")) || str_ieq(a->text, STR("kim@post.example"));
}

static struct smtp_status
check_body(const char *body)
{
	struct display_name d = {STR("From"), STR("kim"), may_use, NULL, &arena};
	struct header_address *list;
	size_t count;

	cr_assert(header_addresses(str_of(body), &arena, &list, &count), "%s", body);
	return display_name_check(&d, str_of(body), list, count, &shown);
}

#define ME " <kim@post.example>"

Test(display_name, allowed_names)
{
	static const char *bodies[] = {
	    "",
	    "kim@post.example",
	    "Kim Lee" ME,
	    "\"Lee, Kim\"" ME,
	    "=?utf-8?q?Lee=2C_Kim?=" ME,
	    "=?utf-8?q?Kim_=22The_Pen=22_Lee?=" ME,
	    "=?utf-8?q?Kim_(Sales)=3B_Post=3A?=" ME,
	    "=?iso-8859-1?q?J=FCrgen_M=FCller?=" ME,
	    "=?windows-1252?q?O=92Brien?=" ME,
	    "=?ISO-2022-JP?B?GyRCPFJEOTtSGyhC?=" ME,
	    "=?big5?B?pECkQA==?=" ME,
	    "=?gb2312?B?1cXI/Q==?=" ME,
	    "=?koi8-r?B?8NLJ18XU?=" ME,
	    "=?euc-kr?B?seg=?=" ME,
	    /* one character divided between two words */
	    "=?utf-8?q?J=C3?= =?utf-8?q?=BCrgen?=" ME,
	    "=?utf-8?q?J=C3?=\r\n\t=?utf-8?q?=BCrgen?=" ME,
	    /* not encoded */
	    "J\xc3\xbcrgen M\xc3\xbcller" ME,
	    "\"M\xc3\xbcller, J\xc3\xbcrgen (kim@post.example)\"" ME,
	    "J\xc3\xbcrgen" ME ", \"kim@post.example\"" ME,
	    /* the user's own address, as Outlook and others show it */
	    "\"kim@post.example\"" ME,
	    "\"'kim@post.example'\"" ME,
	    "=?utf-8?q?kim=40post.example?=" ME,
	    "=?utf-8?q?'Kim=40POST.example'?=" ME,
	    "=?utf-8?q?kim=40work?=" ME,
	    "\"kim@work\"" ME,
	    "kim@post.example (Kim)",
	    "kim@post.example (kim@post.example)",
	    /* "@" and other signs that form no address */
	    "=?utf-8?q?J=C3=BCrgen_=40juergen?=" ME,
	    "=?utf-8?q?J=C3=BCrgen_=40_Work?=" ME,
	    "\"Kim@Work\"" ME,
	    "=?utf-8?q?a=40?=" ME,
	    "=?utf-8?q?=40?=" ME,
	    "\"@\"" ME,
	    "\"Kim <3\"" ME,
	    /* not the whole name: a reader sees that it only mentions another person */
	    "\"lee@bank.example via Helpdesk\"" ME,
	    "kim@post.example (for lee@bank.example)",
	    "G: =?utf-8?q?Lee=2C?=" ME ";",
	    "(a \\) \" b)" ME,
	    "=?utf-8?q?a?=" ME ", =?utf-8?q?b?=" ME,
	};

	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		struct smtp_status s = check_body(bodies[i]);

		cr_expect_eq(s.code, 250, "%s: %u %s", bodies[i], s.code, s.text);
	}
}

Test(display_name, a_name_may_not_show_an_address_of_another_user)
{
	static const struct {
		const char *body, *shown;
	} cases[] = {
	    {"=?utf-8?q?ceo=40bank.example?=" ME, "ceo@bank.example"},
	    {"=?utf-8?q?ceo=40bank?=" ME, "ceo@bank"},
	    {"=?utf-8?q?The_CEO=2C_ceo=40bank.example=2C_says?=" ME, "ceo@bank.example"},
	    {"=?utf-8?q?ceo_=40_bank.example?=" ME, "ceo@bank.example"},
	    {"=?utf-8?q?ceo?= =?utf-8?q?=40ba?= =?utf-8?b?bms=?=" ME, "ceo@bank"},
	    {"=?utf-8?q?ceo?=\r\n =?us-ascii?q?=40bank?=" ME, "ceo@bank"},
	    {"=?utf-8?q?kim=40post.example_ceo=40bank.example?=" ME, "ceo@bank.example"},
	    {"=?utf-8?q?=22a_b=22=40bank.example?=" ME, "\"@bank.example"},
	    {"=?gb2312?q?ceo=81=40bank?=" ME, "ceo\xef\xbf\xbd@bank"},
	    {"\"=?utf-8?q?ceo=40bank?=\"" ME, "ceo@bank"},
	    {"kim@post.example (=?utf-8?q?ceo=40bank?=)", "ceo@bank"},
	    {"(=?utf-8?q?ceo=40bank?=) kim@post.example", "ceo@bank"},
	    {"kim@post.example, =?utf-8?q?ceo=40bank?=" ME, "ceo@bank"},
	    {"=?iso-2022-jp?q?=1B=28Jceo=40bank=1B=28B?=" ME, "ceo@bank"},
	    {"\"ceo@bank.example\"" ME, "ceo@bank.example"},
	    {"\" 'ceo@bank.example' \"" ME, "ceo@bank.example"},
	    {"\"ceo\\@bank.example\"" ME, "ceo@bank.example"},
	    {"\"The CEO <ceo@bank.example>\"" ME, "ceo@bank.example"},
	    {"kim@post.example (ceo@bank.example)", "ceo@bank.example"},
	    {"\"<<ceo@bank.example>\"" ME, "ceo@bank.example"},
	    {"\"ceo@bank.example,\"" ME, "ceo@bank.example"},
	    {"\"ceo@bank.example.\"" ME, "ceo@bank.example"},
	    {"\"[ceo@bank.example]\"" ME, "ceo@bank.example"},
	    {"\"MAILTO:ceo@bank.example\"" ME, "ceo@bank.example"},
	    {"\"ceo@bank.example ceo@bank.example\"" ME, "ceo@bank.example"},
	    {"\"kim@post.example / ceo@bank.example\"" ME, "ceo@bank.example"},
	    {"\"a > b <ceo@bank.example\"" ME, "ceo@bank.example"},
	    {"=?big5?q?ceo=81=40bank.example?=" ME, "ceo\xef\xbf\xbd@bank.example"},
	    {"kim@post.example (The CEO <ceo@bank.example>)", "ceo@bank.example"},
	    /* a single quotation mark inside a comment does not hide the text after it */
	    {"(\") \"ceo@bank.example\"" ME, "ceo@bank.example"},
	    {"G: \"ceo@bank.example\"" ME ";", "ceo@bank.example"},
	    /* beyond ASCII: relay may make an encoded word of it */
	    {"\"\xc3\xbc, ceo@bank.example,\"" ME, "ceo@bank.example"},
	    {"\"\xc3\xbc ceo@bank.example\"" ME, "ceo@bank.example"},
	    {"\"ceo@bank.example x\" \xc3\xbc" ME, "ceo@bank.example"},
	    {"kim@post.example (\xc3\xbc, ceo@bank)", "ceo@bank"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct smtp_status s = check_body(cases[i].body);

		cr_expect(s.code == 550 && s.subject == 7 && s.detail == 1, "%s: %u %s",
		    cases[i].body, s.code, s.text);
		cr_expect(str_eq(shown, str_of(cases[i].shown)), "%s: %.*s", cases[i].body,
		    STR_ARG(shown));
	}
}

Test(display_name, text_that_no_name_may_show)
{
	static const char *bodies[] = {
	    "=?utf-8?q?=3Cceo=40bank=3E?=" ME,
	    "=?utf-8?q?a=3C?=" ME,
	    "=?utf-8?q?a=3E?=" ME,
	    "=?utf-8?q?=0D=0AFrom=3A_ceo?=" ME,
	    "=?utf-8?q?a=0Ab?=" ME,
	    "=?utf-8?b?YQpi?=" ME,
	    "=?utf-8?q?a=00?=" ME,
	    "=?utf-8?q?a=0Bb?=" ME,
	    "=?utf-8?q?a=1Cb?=" ME,
	    "=?utf-8?q?a=1Bb?=" ME,
	    "=?utf-8?q?a=7Fb?=" ME,
	    "=?utf-8?q?a=C2=85b?=" ME,
	    "=?utf-8?q?a=E2=80=A8b?=" ME,
	    "=?utf-8?q?a=E2=80?= =?utf-8?q?=A8b?=" ME,
	    "=?iso-8859-1?q?a=85b?=" ME,
	    "=?utf-8?q?=C0=BC?=" ME,
	    "=?utf-8?q?a=FF?=" ME,
	    "=?utf-7?q?+ADw-ceo+AEA-bank+AD4-?=" ME,
	    "=?utf-16?b?ADw=?=" ME,
	    "=?hz-gb-2312?q?a?=" ME,
	    "=?iso-2022-kr?q?a?=" ME,
	    "=?x?q?a?=" ME,
	    "=?utf-8?q?a" ME,
	    "=?utf-8?q?a?" ME,
	    "\"=?utf-8?q?a\"" ME,
	    "(=?x)" ME,
	    "What=?" ME,
	    "=?utf-8?q?a\r\n b?=" ME,
	    "=?utf-8?b?YQ?=" ME,
	    "\"=?utf-8?q?a\" <kim@post.example>, \"b?=\"" ME,
	    "kim@post.example (=?utf-8?q?=3C?=)",
	    "(=?x) kim@post.example",
	    /* encoded words that some programs find before quotes are removed, or inside another
	     * one */
	    "\"=\"?utf-8?b?Y2VvQGJhbms=?=" ME,
	    "\"=\\?utf-8?b?Y2VvQGJhbms=?=\"" ME,
	    "(=\\?utf-8?b?Y2VvQGJhbms=?=) kim@post.example",
	    "=?utf-8?q? =?utf-8?b?Y2VvQGJhbms=?=" ME,
	    "=?utf-8?q?a=3D=3Futf-8?= =?utf-8?q?=3Fq=3Fceo=3F=3D?=" ME,
	    "=?iso-2022-jp?b?GyhJPGNlb0BiYW5rLmV4YW1wbGU+GyhC?=" ME,
	    /* beyond ASCII: relay may make an encoded word of it */
	    "\"\xc3\xbc <x ceo@bank.example>,\"" ME,
	    "kim@post.example (\xc3\xbc <3)",
	};

	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		struct smtp_status s = check_body(bodies[i]);

		cr_expect(s.code == 554 && s.subject == 6 && s.detail == 0, "%s: %u %s", bodies[i],
		    s.code, s.text);
		cr_expect_eq(shown.n, 0);
	}
}

/* As many special characters as a field may hold: each octet is read a few times, not once for each
 * special character. */
Test(display_name, many_special_characters_take_linear_time, .timeout = 10)
{
	static const char *signs[] = {"<", "@", "<a@", "@ ", ">", "=", "\\", "'", ",", "a@b<"};
	enum { BYTES = 250000 };
	char *body = malloc(2 * BYTES + 64);

	for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
		size_t n = 0, step = strlen(signs[i]);
		struct smtp_status s;

		body[n++] = '"';
		for (; n + step < BYTES; n += step)
			memcpy(body + n, signs[i], step);
		memset(body + n, 'a', BYTES);
		strcpy(body + n + BYTES, "@b\"" ME);
		s = check_body(body);
		cr_expect(s.code == 250 || s.code == 550, "%s: %u %s", signs[i], s.code, s.text);
		arena_clear(&arena);
		arena_init(&arena, 8 << 20);
	}
	free(body);
}
