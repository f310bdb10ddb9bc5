/* SASL's first messages: total, and a name that comes out is one that an account may bear. */
#include <stdlib.h>

#include "auth/claim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct claim *c)
{
	struct claim again;

	if (!claim_is_name(claim_name(c)) || !claim_user(claim_name(c), &again))
		abort();
	if (!str_eq(claim_name(&again), claim_name(c)))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_make((const char *)data, size);
	char network[CLAIM_NETWORK_BYTES];
	struct claim c;

	if (claim_plain(in, &c)) {
		check(&c);
		if (!claim_is_password(c.password))
			abort();
	}
	if (claim_scram(in, &c))
		check(&c);
	if (claim_user(in, &c))
		check(&c);
	if (claim_network(in, network).n > sizeof network)
		abort();
	return 0;
}
