/* Whether an Authentication-Results field may have our name: in every spelling; a name that cannot
 * be read counts as ours. */
#include <criterion/criterion.h>

#include "mail/authserv.h"

static const struct {
	const char *body;
	bool may_be;
} name_cases[] = {
    {" mail.example.com; dkim=pass", true},
    {"mail.example.com", true},
    {"MAIL.example.COM;none", true},
    {" mail.example.com 1; none", true},
    {" mail.example.com/1; none", true},
    {"\r\n\tmail.example.com\r\n ; spf=pass", true},
    {" (by) mail.example.com; none", true},
    {" ((a) \\) b) (c)mail.example.com(d); none", true},
    {" mail.example.com(d)", true},
    {" \"mail.example.com\"; none", true},
    {" \" Mail.example.com \"; none", true},
    {" mail.example.com@x; none", true},
    {" mail.example.com:25; none", true},
    {" mail.example.com\x0b; none", true},
    {" mail.example.com\xc2\x85; none", true},
    {" \"mail.example.com\x0b\"; none", true},
    {"\x0bmail.example.com; none", true},
    {" (\\\x0b) mail.example.com; none", true},
    {" (\\\xc2\x85)mail.example.com", true},
    {" mail.example.com.; none", true},
    {" \"mail.example.com.\"; none", true},
    /* the ideographic full stop, and names beyond ASCII: one of them may be ours in
     * U-labels */
    {" mail.example.com\xe3\x80\x82; none", true},
    {" mail\xe3\x80\x82"
     "example.com; none",
        true},
    {" mail.ex\xc3\xa4mple.com; dkim=pass", true},
    {" \"mail.ex\xc3\xa4mple.com\"; none", true},
    {" \"mx\"mail.example.com; none", true},
    {" mx.example.net@mail.example.com", true},
    /* names that cannot be read */
    {"", true},
    {" ", true},
    {"; dkim=pass", true},
    {" (unclosed mx.example.net; none", true},
    {" (a (b) mx.example.net; none", true},
    {" (a\\", true},
    {" \"mx.example.net; none", true},
    {" \"mx\\.example.net\"; none", true},
    {" =?utf-8?q?mail.example.com?=; none", true},
    {" \"\"; none", true},
    {" <mx.example.net>; none", true},
    {" \"", true},
    /* names of other hosts */
    {" mx.example.net; dkim=pass", false},
    {" mx.example.net (mail.example.com); none", false},
    {" (mail.example.com) mx.example.net; none", false},
    {" example.com; none", false},
    {" mx.example.net.; none", false},
    {" \"mx.example.net\"(c); none", false},
    {" mx.example.net\r\n\t1; none", false},
    {" mx.example.net", false},
    {" mail.example.com.evil.example; none", false},
    {" xmail.example.com; none", false},
    {" \"mx.example.net\"; none", false},
    {" mx.example.net; x=mail.example.com", false},
};

Test(authserv, may_be)
{
	for (size_t i = 0; i < sizeof name_cases / sizeof *name_cases; i++)
		cr_expect_eq(authserv_may_be(str_of(name_cases[i].body), STR("mail.example.com")),
		    name_cases[i].may_be, "%s", name_cases[i].body);
	cr_expect(authserv_may_be(STR(" mail.example.com; none"), STR("mail.example.com.")));
	cr_expect(authserv_may_be(STR("mail.example.com\0"), STR("mail.example.com")));
}
