/* Addresses: what parses is clean, is the same as itself, and so is its canonical form. */
#include <stdlib.h>

#include "mail/mail_address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must_hold(bool ok)
{
	if (!ok)
		abort();
}

static void
check_address(const struct mail_address *a)
{
	struct mail_address again;

	must_hold(str_is_utf8(a->text) && a->is_utf8 == !str_is_ascii(a->text));
	must_hold(a->local.n >= 1 && a->local.n <= MAIL_ADDRESS_LOCAL_MAX);
	must_hold(a->local.n + 1 + a->domain.n == a->text.n);
	for (size_t i = 0; i < a->text.n; i++)
		must_hold((unsigned char)a->text.p[i] >= 0x20 && a->text.p[i] != 0x7f);
	must_hold(mail_address_parse(a->text, &again, NULL) && mail_address_same(a, &again));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_make((const char *)data, size), rest = in;
	const char *why = NULL;
	struct mail_address a;

	if (mail_address_parse(in, &a, &why))
		check_address(&a);
	else
		must_hold(why != NULL);
	if (mail_address_path(&rest, &a, NULL)) {
		must_hold(rest.p > in.p && rest.p[-1] == '>');
		if (a.domain.n)
			check_address(&a);
		else
			must_hold(a.text.n == 0 || str_ieq(a.text, STR("postmaster")));
	} else {
		must_hold(rest.p == in.p && rest.n == in.n);
	}
	(void)mail_address_is_domain(in);
	(void)mail_address_is_literal(in);
	return 0;
}
