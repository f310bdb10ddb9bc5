/* Encoded words: what each of them shows, and which cannot be judged. */
#include <criterion/criterion.h>

#include "mail/encoded_word.h"

#define S(text)                                                                                    \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}
#define U "\xef\xbf\xbd"

Test(encoded_word, shown_text)
{
	static const struct {
		struct str in;
		const char *shown_text, *rest;
	} cases[] = {
	    {S("=?utf-8?Q?J=C3=BCrgen_M.?= <j@b>"), "J\xc3\xbcrgen M.", " <j@b>"},
	    {S("=?UTF-8?q?=3c=3E=40?="), "<>@", ""},
	    {S("=?utf8*de?q?a?==?utf-8?q?b?="), "a", "=?utf-8?q?b?="},
	    {S("=?utf-8?B?SsO8cmdlbg==?="), "J\xc3\xbcrgen", ""},
	    {S("=?utf-8?q?"
	       "?="),
	        "", ""},
	    {S("=?utf-8?q?a=zz=4?="), "a=zz=4", ""},
	    {S("=?us-ascii?q?a b?="), "a b", ""},
	    {S("=?iso-8859-1?q?J=FCrgen=40?="), "J" U "rgen@", ""},
	    {S("=?ISO-8859-15?q?=A4?="), U, ""},
	    {S("=?windows-1252?q?a=85b?="), "a" U "b", ""},
	    {S("=?koi8-r?B?8NLJ18XU?="), U U U U U U, ""},
	    /* GB 2312, EUC: the second octet of a character is above 0xa0 */
	    {S("=?gb2312?B?1cXI/Q==?="), U U, ""},
	    {S("=?gb2312?q?ceo=81=40b?="), "ceo" U "@b", ""},
	    {S("=?euc-kr?q?=B1=E8=40?="), U "@", ""},
	    /* Big5: 0xa440 is a character whose second octet is that of "@"; the octet of "<" is
	     * never a second octet */
	    {S("=?big5?q?=A4=40=40?="), U "@", ""},
	    {S("=?gbk?q?=81=3C?="), U "<", ""},
	    /* "@" after an octet with which it forms no character is shown */
	    {S("=?big5?q?=81=40=C8=40=FF=40=A2=40?="), U "@" U "@" U "@" U "@", ""},
	    {S("=?gbk?q?=A1=40=FF=40=80=40=81=40?="), U "@" U "@" U "@" U, ""},
	    {S("=?cp949?q?=81=40=C6=40=81=41?="), U "@" U "@" U, ""},
	    {S("=?shift_jis?q?=82=40=FD=40=87=40=EA=40?="), U "@" U "@" U "@" U, ""},
	    {S("=?cp932?q?=87=40=FA=40?="), U U "@", ""},
	    /* GB 18030: four octets, but not when they are incomplete */
	    {S("=?gb18030?q?=814=813a?="), U "a", ""},
	    {S("=?gb18030?q?=814=81<=814?="), U "4" U "<" U "4", ""},
	    /* Shift_JIS: half-width katakana are characters of one octet */
	    {S("=?shift_jis?q?=83=40=B1=40?="), U U "@", ""},
	    /* ISO-2022-JP: $3 between the escape sequences is one character, and so is <@ */
	    {S("=?ISO-2022-JP?B?GyRCJDMbKEI=?="), U, ""},
	    {S("=?iso-2022-jp?q?=1B$B<@=1B(B@a=1B(J<=1B(B?="), U "@a<", ""},
	    {S("=?iso-2022-jp?q?=1B$B=0A=1B(B?="), "\n", ""},
	};
	struct buf out;

	buf_init(&out, 1 << 16);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str rest = cases[i].in;
		const char *why = encoded_word_take(&rest, &out);

		cr_expect_null(why, "%zu: %s", i, why);
		cr_expect(str_eq(buf_str(&out), str_of(cases[i].shown_text)), "%zu: %.*s", i,
		    STR_ARG(buf_str(&out)));
		cr_expect(str_eq(rest, str_of(cases[i].rest)), "%zu: %.*s", i, STR_ARG(rest));
		buf_reset(&out);
	}
	buf_clear(&out);
}

Test(encoded_word, words_that_cannot_be_judged)
{
	static const char *words[] = {
	    "=?",
	    "=?utf-8",
	    "=?utf-8?",
	    "=?utf-8?q",
	    "=?utf-8?q?",
	    "=?utf-8?q?a",
	    "=?utf-8?q?a?",
	    "=?utf-8?x?a?=",
	    "=?utf-8?"
	    "?a?=",
	    "=?utf-8?qq?a?=",
	    "=?x)y?B?QUJD",
	    "=?x)y?B?QUJD?=",
	    "=?"
	    "?q?a?=",
	    "=?utf-7?q?+ADw-?=",
	    "=?unicode-1-1-utf-7?q?a?=",
	    "=?utf-16?B?ADw=?=",
	    "=?utf-16le?q?a?=",
	    "=?utf-32?q?a?=",
	    "=?ucs-2?q?a?=",
	    "=?hz-gb-2312?q?a?=",
	    "=?iso-2022-kr?q?a?=",
	    "=?iso-2022-cn?q?a?=",
	    "=?iso-2022-jp-2?q?a?=",
	    "=?x-user?q?a?=",
	    "=?iso-8859-?q?a?=",
	    "=?iso-8859-1x?q?a?=",
	    "=?iso-8859-123?q?a?=",
	    "=?cp037?q?a?=",
	    "=?ibm1026?q?a?=",
	    "=?utf-8?B?YQ?=",
	    "=?utf-8?B?Y!==?=",
	    "=?iso-8859-1?q?a=85?=",
	    "=?iso-2022-jp?q?=1B$A!!=1B(B?=",
	    /* half-width katakana: programs that do not know them show their octets as ASCII */
	    "=?iso-2022-jp?q?=1B(I1=1B(B?=",
	    /* NEXT LINE and LINE SEPARATOR */
	    "=?gb18030?q?a=810=815b?=",
	    "=?gb18030?q?a=816=A65?=",
	    "=?tis-620?q?a=85b?=",
	    "=?utf-8?q?a?=?utf-8?q?b?=",
	    "=?iso-2022-jp?q?=FF?=",
	    "=?iso-2022-jp?q?=1B$B<?=",
	    "=?iso-2022-jp?q?=1B$B<=1B(B?=",
	};
	struct buf out;

	buf_init(&out, 1 << 16);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		struct str rest = str_of(words[i]);

		cr_expect_not_null(encoded_word_take(&rest, &out), "%s", words[i]);
		cr_expect(rest.p == words[i] && rest.n == strlen(words[i]));
	}
	buf_clear(&out);
}
