/* Addresses: what parses is clean, is the same as itself, and so is its canonical form. */
#include <stdlib.h>

#include "mail/mail_address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static void
check_address(const struct address *a)
{
	struct address again;

	check(str_is_utf8(a->text) && a->is_utf8 == !str_is_ascii(a->text));
	check(a->local.n >= 1 && a->local.n <= ADDRESS_LOCAL_MAX);
	check(a->local.n + 1 + a->domain.n == a->text.n);
	for (size_t i = 0; i < a->text.n; i++)
		check((unsigned char)a->text.p[i] >= 0x20 && a->text.p[i] != 0x7f);
	check(address_parse(a->text, &again, NULL) && address_same(a, &again));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_make((const char *)data, size), rest = in;
	const char *why = NULL;
	struct address a;

	if (address_parse(in, &a, &why))
		check_address(&a);
	else
		check(why != NULL);
	if (address_path(&rest, &a, NULL)) {
		check(rest.p > in.p && rest.p[-1] == '>');
		if (a.domain.n)
			check_address(&a);
		else
			check(a.text.n == 0 || str_ieq(a.text, STR("postmaster")));
	} else {
		check(rest.p == in.p && rest.n == in.n);
	}
	(void)address_is_domain(in);
	(void)address_is_literal(in);
	return 0;
}
