/* The server side of SCRAM: the example of RFC 7677, and messages that differ from it in one place.
 */
#include "auth/scram_server.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/encode.h"

#define FIRST "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
#define NONCE "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define CHALLENGE "r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define PROOF "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define SIGNATURE "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static struct scram_secret
pencil(void)
{
	struct scram_secret s = {.iterations = 4096};
	struct buf salt;

	buf_init(&salt, SCRAM_SECRET_SALT_MAX);
	cr_assert(decode_base64(&salt, STR("W22ZaJ0SNY7soEsUEjb6gQ==")));
	memcpy(s.salt, salt.p, salt.n);
	s.salt_n = salt.n;
	buf_clear(&salt);
	cr_assert(scram_secret_derive(&s, STR("pencil")));
	return s;
}

static bool
is_proven(const char *first, const char *final, struct str binding, struct buf *out)
{
	struct scram_secret secret = pencil();
	struct scram_server_exchange exchange = {.first = str_of(first),
	    .challenge = STR(CHALLENGE),
	    .binding = binding,
	    .secret = &secret};

	return scram_server_is_proven(&exchange, str_of(final), out);
}

Test(scram_server, the_example_of_rfc7677)
{
	struct buf out;

	buf_init(&out, 256);
	cr_assert(is_proven(FIRST, "c=biws,r=" NONCE ",p=" PROOF, STR(""), &out));
	cr_assert(str_eq(buf_str(&out), STR(SIGNATURE)));
	buf_clear(&out);
}

static const char *const refused[] = {
    "",
    "p=" PROOF,
    "c=biws,r=" NONCE,
    "c=biws,r=" NONCE ",p=",
    "c=biws,r=" NONCE ",p=AAAA",
    "c=biws,r=" NONCE ",p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "c=biws,r=" NONCE ",p=" PROOF ",x=1",
    "c=biws,r=" NONCE "x,p=" PROOF,
    "c=biws,r=rOprNGfwEbeRWgbNEkqO,p=" PROOF,
    "c=eSws,r=" NONCE ",p=" PROOF,
    "c=biws,x=1,r=" NONCE ",p=" PROOF,
    "r=" NONCE ",c=biws,p=" PROOF,
    "c=biws,r=" NONCE ",x=1,p=" PROOF,
    "c=biws,r=" NONCE ",p=" PROOF ",p=" PROOF,
};

Test(scram_server, a_changed_message_is_no_proof)
{
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct buf out;

		buf_init(&out, 256);
		cr_assert(!is_proven(FIRST, refused[i], STR(""), &out), "case %zu", i);
		cr_assert_eq(out.n, 0);
		buf_clear(&out);
	}
}

Test(scram_server, a_proof_is_bound_to_its_channel_and_first_message)
{
	struct buf out;

	buf_init(&out, 256);
	cr_assert(!is_proven(FIRST, "c=biws,r=" NONCE ",p=" PROOF, STR("channel"), &out));
	cr_assert(!is_proven("y,,n=user,r=rOprNGfwEbeRWgbNEkqO", "c=biws,r=" NONCE ",p=" PROOF,
	    STR(""), &out));
	cr_assert(!is_proven("n,,n=other,r=rOprNGfwEbeRWgbNEkqO",
	    "c=biws,r=" NONCE ",p=" PROOF, STR(""), &out));
	buf_clear(&out);
}

Test(scram_server, each_challenge_has_its_own_nonce)
{
	struct scram_secret secret = pencil();
	struct buf a, b;

	buf_init(&a, SCRAM_SERVER_CHALLENGE_MAX);
	buf_init(&b, SCRAM_SERVER_CHALLENGE_MAX);
	scram_server_challenge(STR("n,a=x,n=user,r=abc,ext=1"), &secret, &a);
	scram_server_challenge(STR("n,a=x,n=user,r=abc,ext=1"), &secret, &b);
	cr_assert(
	    str_starts(buf_str(&a), STR("r=abc")) && a.p[5] != ',', "%.*s", STR_ARG(buf_str(&a)));
	cr_assert(!str_eq(buf_str(&a), buf_str(&b)));
	cr_assert(
	    str_eq(str_from(buf_str(&a), a.n - 34), STR(",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")));
	buf_clear(&a);
	buf_clear(&b);
}

/* The binding must agree with what both sides offered; "y" after an offer is a downgrade. */
static const struct {
	struct scram_server_channel channel;
	const char *first;
	bool is_bound;
} channels[] = {
    {{.is_plus = true, .plus_offered = true, .binding = {"b", 1}}, "p=tls-exporter,,n=a,r=x", true},
    {{.is_plus = true, .plus_offered = true, .binding = {"b", 1}}, "p=tls-unique,,n=a,r=x", false},
    {{.is_plus = true, .plus_offered = true, .binding = {"b", 1}}, "n,,n=a,r=x", false},
    {{.is_plus = true, .plus_offered = true, .binding = {"b", 1}}, "y,,n=a,r=x", false},
    {{.is_plus = true}, "p=tls-exporter,,n=a,r=x", false},
    {{.plus_offered = true, .binding = {"b", 1}}, "n,,n=a,r=x", true},
    {{.plus_offered = true, .binding = {"b", 1}}, "y,,n=a,r=x", false},
    {{.plus_offered = true, .binding = {"b", 1}}, "p=tls-exporter,,n=a,r=x", false},
    {{.plus_offered = false}, "y,,n=a,r=x", true},
};

Test(scram_server, the_binding_must_be_the_offered_one)
{
	for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
		struct claimed_identity identity;

		cr_assert(claimed_parse_scram(str_of(channels[i].first), &identity));
		cr_assert_eq(scram_server_is_bound(&identity, &channels[i].channel),
		    channels[i].is_bound, "case %zu", i);
	}
}
