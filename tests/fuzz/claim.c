/* SASL's messages: total, a name that comes out is one that an account may bear, and no proof comes
 * out of keys that nothing fits. */
#include <stdlib.h>

#include "auth/scram_server.h"

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

/* The input is the client's first message, and its final message too. */
static void
check_scram(struct str in)
{
	struct secret secret;
	struct scram_talk talk = {.first = in, .binding = STR(""), .secret = &secret};
	struct buf challenge, proof;

	secret_fake(STR("installation"), STR("user"), SECRET_ITERATIONS_MIN, &secret);
	buf_init(&challenge, SCRAM_CHALLENGE_MAX);
	buf_init(&proof, CLAIM_MESSAGE_MAX);
	scram_challenge(in, &secret, &challenge);
	talk.challenge = buf_str(&challenge);
	if (!buf_ok(&challenge) || scram_is_proven(&talk, in, &proof))
		abort();
	talk.first = STR("n,,n=user,r=abc");
	talk.challenge = STR("r=abcdef,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
	if (scram_is_proven(&talk, in, &proof))
		abort();
	buf_clear(&challenge);
	buf_clear(&proof);
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
	if (claim_scram(in, &c)) {
		check(&c);
		check_scram(in);
	}
	if (claim_user(in, &c))
		check(&c);
	if (claim_network(in, network).n > sizeof network)
		abort();
	return 0;
}
