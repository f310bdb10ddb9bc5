/* The client side of SASL: the test vector of RFC 7677, and what a hostile server may send. */
#include <criterion/criterion.h>

#include "relay/smtp_sasl.h"

static const char nonce[] = "rOprNGfwEbeRWgbNEkqO";
static const char first_challenge[] =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

static bool
begin(struct smtp_sasl *sasl, const char *offered, struct buf *out)
{
	buf_init(out, 4096);
	return smtp_sasl_begin(sasl, offered, STR("user"), STR("pencil"), nonce);
}

Test(relay_sasl, scram_vector)
{
	struct smtp_sasl sasl;
	struct buf out;

	cr_assert(begin(&sasl, " LOGIN PLAIN SCRAM-SHA-256 ", &out));
	cr_assert_str_eq(smtp_sasl_mechanism_name(&sasl), "SCRAM-SHA-256");
	cr_assert(smtp_sasl_initial_response(&sasl, &out));
	cr_assert(str_eq(buf_str(&out), STR("n,,n=user,r=rOprNGfwEbeRWgbNEkqO")));
	buf_reset(&out);
	cr_assert(smtp_sasl_respond(&sasl, STR(first_challenge), &out));
	cr_assert(
	    str_eq(buf_str(&out), STR("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	                              "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")));
	cr_assert_not(smtp_sasl_is_complete(&sasl), "the server has proven nothing yet");
	buf_reset(&out);
	cr_assert(
	    smtp_sasl_respond(&sasl, STR("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), &out));
	cr_assert_eq(out.n, 0);
	cr_assert(smtp_sasl_is_complete(&sasl));
	smtp_sasl_clear(&sasl);
	buf_clear(&out);
}

Test(relay_sasl, scram_wrong_challenges)
{
	static const struct {
		const char *why;
		struct str challenge;
	} cases[] = {
	    {"empty", {"", 0}},
	    {"another nonce", STR("r=somethingelse,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")},
	    {"nonce not continued",
	        STR("r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")},
	    {"few iterations", STR("r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1")},
	    {"a cost to stop us",
	        STR("r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4294967295")},
	    {"no number", STR("r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=x")},
	    {"bad salt", STR("r=rOprNGfwEbeRWgbNEkqOx,s=!!!!,i=4096")},
	    {"no salt", STR("r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096")},
	    {"fields missing", STR("r=rOprNGfwEbeRWgbNEkqOx")},
	    {"an extension that must be known",
	        STR("m=x,r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0S,i=4096")},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct smtp_sasl sasl;
		struct buf out;

		cr_assert(begin(&sasl, " SCRAM-SHA-256 ", &out));
		cr_assert(smtp_sasl_initial_response(&sasl, &out));
		cr_expect_not(
		    smtp_sasl_respond(&sasl, cases[i].challenge, &out), "%s", cases[i].why);
		cr_expect_not(smtp_sasl_is_complete(&sasl), "%s", cases[i].why);
		smtp_sasl_clear(&sasl);
		buf_clear(&out);
	}
}

Test(relay_sasl, scram_wrong_signature)
{
	static const struct str finals[] = {STR("v=AAAATRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="),
	    STR("v="), STR("e=invalid-proof"), STR("v=6rriTRBi"), {"", 0}};

	for (size_t i = 0; i < sizeof finals / sizeof *finals; i++) {
		struct smtp_sasl sasl;
		struct buf out;

		cr_assert(begin(&sasl, " SCRAM-SHA-256 ", &out));
		cr_assert(smtp_sasl_initial_response(&sasl, &out));
		cr_assert(smtp_sasl_respond(&sasl, STR(first_challenge), &out));
		cr_expect_not(smtp_sasl_respond(&sasl, finals[i], &out), "%zu", i);
		cr_expect_not(smtp_sasl_is_complete(&sasl), "%zu", i);
		smtp_sasl_clear(&sasl);
		buf_clear(&out);
	}
}

Test(relay_sasl, scram_names_are_escaped)
{
	struct smtp_sasl sasl;
	struct buf out;

	buf_init(&out, 4096);
	cr_assert(smtp_sasl_begin(&sasl, " SCRAM-SHA-256 ", STR("a,b=c"), STR("x"), nonce));
	cr_assert(smtp_sasl_initial_response(&sasl, &out));
	cr_assert(str_eq(buf_str(&out), STR("n,,n=a=2Cb=3Dc,r=rOprNGfwEbeRWgbNEkqO")));
	smtp_sasl_clear(&sasl);
	buf_clear(&out);
}

Test(relay_sasl, plain_and_login)
{
	struct smtp_sasl sasl;
	struct buf out;

	cr_assert(begin(&sasl, " LOGIN PLAIN ", &out));
	cr_assert(smtp_sasl_initial_response(&sasl, &out));
	cr_assert(str_eq(buf_str(&out), STR("\0user\0pencil")));
	cr_assert_not(smtp_sasl_respond(&sasl, STR("more?"), &out), "PLAIN has one message");
	smtp_sasl_clear(&sasl);
	buf_clear(&out);
	cr_assert(begin(&sasl, " LOGIN ", &out));
	cr_assert_not(smtp_sasl_initial_response(&sasl, &out));
	cr_assert(smtp_sasl_respond(&sasl, STR("Username:"), &out));
	cr_assert(str_eq(buf_str(&out), STR("user")));
	cr_assert_not(smtp_sasl_is_complete(&sasl));
	buf_reset(&out);
	cr_assert(smtp_sasl_respond(&sasl, STR("Password:"), &out));
	cr_assert(str_eq(buf_str(&out), STR("pencil")));
	cr_assert(smtp_sasl_is_complete(&sasl));
	cr_assert_not(smtp_sasl_respond(&sasl, STR("again?"), &out));
	smtp_sasl_clear(&sasl);
	buf_clear(&out);
}

Test(relay_sasl, no_known_mechanism)
{
	static const char *const offers[] = {
	    "", " ", " GSSAPI CRAM-MD5 ", " XPLAIN ", "PLAIN", " PLAINER "};

	for (size_t i = 0; i < sizeof offers / sizeof *offers; i++) {
		struct smtp_sasl sasl;
		struct buf out;

		cr_expect_not(begin(&sasl, offers[i], &out), "\"%s\"", offers[i]);
		smtp_sasl_clear(&sasl);
		buf_clear(&out);
	}
}

Test(relay_sasl, nonces_differ)
{
	struct smtp_sasl a, b;

	cr_assert(smtp_sasl_begin(&a, " PLAIN ", STR("u"), STR("p"), NULL));
	cr_assert(smtp_sasl_begin(&b, " PLAIN ", STR("u"), STR("p"), NULL));
	cr_assert_str_neq(a.nonce, b.nonce);
	cr_assert_geq(strlen(a.nonce), 20);
	smtp_sasl_clear(&a);
	smtp_sasl_clear(&b);
}
