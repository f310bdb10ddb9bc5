/* SASL's messages: total, a name that comes out is one that an account may bear, and no proof comes
 * out of keys that nothing fits. */
#include <stdlib.h>

#include "auth/scram_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must_hold(const struct claimed_identity *c)
{
	struct claimed_identity again;

	if (!claimed_is_valid_name(claimed_name(c)) || !claimed_set_user(claimed_name(c), &again))
		abort();
	if (!str_eq(claimed_name(&again), claimed_name(c)))
		abort();
}

/* The input is the client's first message, and its final message too. */
static void
check_scram(struct str in)
{
	struct scram_secret secret;
	struct scram_server_exchange talk = {.first = in, .binding = STR(""), .secret = &secret};
	struct buf challenge, proof;

	scram_secret_fake(STR("installation"), STR("user"), SCRAM_SECRET_ITERATIONS_MIN, &secret);
	buf_init(&challenge, SCRAM_SERVER_CHALLENGE_MAX);
	buf_init(&proof, CLAIMED_MESSAGE_MAX);
	scram_server_challenge(in, &secret, &challenge);
	talk.challenge = buf_str(&challenge);
	if (!buf_ok(&challenge) || scram_server_is_proven(&talk, in, &proof))
		abort();
	talk.first = STR("n,,n=user,r=abc");
	talk.challenge = STR("r=abcdef,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
	if (scram_server_is_proven(&talk, in, &proof))
		abort();
	buf_clear(&challenge);
	buf_clear(&proof);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_make((const char *)data, size);
	char network[CLAIMED_NETWORK_BYTES];
	struct claimed_identity c;

	if (claimed_parse_plain(in, &c)) {
		must_hold(&c);
		if (!claimed_is_valid_password(c.password))
			abort();
	}
	if (claimed_parse_scram(in, &c)) {
		must_hold(&c);
		check_scram(in);
	}
	if (claimed_set_user(in, &c))
		must_hold(&c);
	if (claimed_network(in, network).n > sizeof network)
		abort();
	return 0;
}
