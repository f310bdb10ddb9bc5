/* Networks in CIDR notation. */
#include <criterion/criterion.h>

#include "conf/network.h"

static const struct {
	const char *text, *read; /* NULL: refused */
} texts[] = {
    {"192.0.2.1", "192.0.2.1/32"},
    {"192.0.2.0/24", "192.0.2.0/24"},
    {"0.0.0.0/0", "0.0.0.0/0"},
    {"192.0.2.128/25", "192.0.2.128/25"},
    {"2001:DB8::/32", "2001:db8::/32"},
    {"::/0", "::/0"},
    {"::1", "::1/128"},
    {"::ffff:192.0.2.1", "192.0.2.1/32"},
    {"192.0.2.1/24", NULL},
    {"192.0.2.0/33", NULL},
    {"192.0.2.0/", NULL},
    {"192.0.2.0/-1", NULL},
    {"192.0.2.0/24/24", NULL},
    {"192.0.2/24", NULL},
    {"2001:db8::1/32", NULL},
    {"2001:db8::/129", NULL},
    {"::ffff:192.0.2.1/120", NULL},
    {"example.com", NULL},
    {"", NULL},
    {"/8", NULL},
};

Test(network, read_and_written)
{
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char out[NETWORK_TEXT_BYTES];
		struct network n;
		bool ok = network_parse(str_of(texts[i].text), &n);

		cr_expect_eq(ok, texts[i].read != NULL, "%s", texts[i].text);
		if (ok)
			cr_expect_str_eq(network_text(&n, out), texts[i].read);
	}
}

static const struct {
	const char *outer, *inner;
	bool has;
} pairs[] = {
    {"192.0.2.0/24", "192.0.2.255", true},
    {"192.0.2.0/24", "192.0.3.0", false},
    {"192.0.2.0/24", "192.0.2.128/25", true},
    {"192.0.2.128/25", "192.0.2.0/24", false},
    {"192.0.2.128/25", "192.0.2.127", false},
    {"192.0.2.128/25", "192.0.2.129", true},
    {"0.0.0.0/0", "255.255.255.255", true},
    {"0.0.0.0/0", "::1", false},
    {"::/0", "2001:db8::1", true},
    {"2001:db8::/33", "2001:db8:8000::1", false},
    {"2001:db8::/33", "2001:db8:7fff::1", true},
    {"192.0.2.0/24", "::ffff:192.0.2.7", true},
};

Test(network, has)
{
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct network outer, inner;

		cr_assert(network_parse(str_of(pairs[i].outer), &outer));
		cr_assert(network_parse(str_of(pairs[i].inner), &inner));
		cr_expect_eq(network_has(&outer, &inner), pairs[i].has, "%s %s", pairs[i].outer,
		    pairs[i].inner);
	}
}
