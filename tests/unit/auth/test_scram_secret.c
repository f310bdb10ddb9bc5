/* Derivation against the published example; the stored text; secrets for names without an account.
 */
#include <criterion/criterion.h>

#include "auth/scram_secret.h"
#include "base/encode.h"
#include "unit/auth/rig.h"

static struct str
bytes(const uint8_t *p, size_t n)
{
	return str_make((const char *)p, n);
}

/* RFC 7677 section 3 gives a proof and a server signature; both follow from the two keys. */
static const char auth_message[] =
    "n=user,r=rOprNGfwEbeRWgbNEkqO,"
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

#include <gnutls/crypto.h>

Test(scram_secret, the_example_of_rfc7677)
{
	struct scram_secret s = {.iterations = 4096};
	uint8_t signature[32], key[32], stored[32];
	struct buf salt, text, proof;

	buf_init(&salt, 64);
	buf_init(&text, 256);
	buf_init(&proof, 64);
	cr_assert(decode_base64(&salt, STR("W22ZaJ0SNY7soEsUEjb6gQ==")));
	memcpy(s.salt, salt.p, salt.n);
	s.salt_n = salt.n;
	cr_assert(scram_secret_derive(&s, STR("pencil")));
	gnutls_hmac_fast(GNUTLS_MAC_SHA256, s.server_key, 32, auth_message, strlen(auth_message),
	    signature);
	encode_base64(&text, bytes(signature, 32));
	cr_assert(str_eq(buf_str(&text), STR("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")));

	cr_assert(decode_base64(&proof, STR("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")));
	gnutls_hmac_fast(GNUTLS_MAC_SHA256, s.stored_key, 32, auth_message, strlen(auth_message),
	    signature);
	for (int i = 0; i < 32; i++)
		key[i] = (uint8_t)(proof.p[i] ^ signature[i]);
	gnutls_hash_fast(GNUTLS_DIG_SHA256, key, 32, stored);
	cr_assert_arr_eq(stored, s.stored_key, 32);
	buf_clear(&salt);
	buf_clear(&text);
	buf_clear(&proof);
}

Test(scram_secret, only_its_password_matches)
{
	struct scram_secret s, other;

	cr_assert(scram_secret_make(STR("wonderland"), 4096, &s));
	cr_assert(scram_secret_make(STR("wonderland"), 4096, &other));
	cr_assert(rig_password_matches(&s, STR("wonderland")));
	cr_assert(!rig_password_matches(&s, STR("Wonderland")));
	cr_assert(!rig_password_matches(&s, STR("")));
	cr_assert(memcmp(s.salt, other.salt, s.salt_n) != 0, "salts are drawn");
	cr_assert(!scram_secret_make(STR("wonderland"), 4095, &s));
	cr_assert(!scram_secret_make(STR(""), 4096, &s));
	cr_assert(!scram_secret_make(STR("wonder\0land"), 4096, &s));
	cr_assert(!scram_secret_make(STR("wonderland\n"), 4096, &s));
}

Test(scram_secret, text_is_read_back)
{
	char text[SCRAM_SECRET_TEXT_BYTES], again[SCRAM_SECRET_TEXT_BYTES];
	struct scram_secret s, back;

	cr_assert(scram_secret_make(STR("x"), 20000, &s));
	cr_assert(scram_secret_parse(str_of(scram_secret_text(&s, text)), &back));
	cr_assert_str_eq(scram_secret_text(&back, again), text);
	cr_assert(strncmp(text, "SCRAM-SHA-256$20000:", 20) == 0);
}

#define KEY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

Test(scram_secret, malformed_text_is_refused)
{
	static const char *const bad[] = {
	    "",
	    "SCRAM-SHA-256",
	    "SCRAM-SHA-1$4096:QUFBQUFBQUE=$" KEY ":" KEY,
	    "SCRAM-SHA-256$4095:QUFBQUFBQUE=$" KEY ":" KEY,
	    "SCRAM-SHA-256$-4096:QUFBQUFBQUE=$" KEY ":" KEY,
	    "SCRAM-SHA-256$10000001:QUFBQUFBQUE=$" KEY ":" KEY,
	    "SCRAM-SHA-256$18446744073709551617:QUFBQUFBQUE=$" KEY ":" KEY,
	    "SCRAM-SHA-256$4096:QUFBQUFB$" KEY ":" KEY,
	    "SCRAM-SHA-256$4096:QUFBQUFBQUE$" KEY ":" KEY,
	    "SCRAM-SHA-256$4096:QUFBQUFBQUE=$" KEY,
	    "SCRAM-SHA-256$4096:QUFBQUFBQUE=$" KEY ":",
	    "SCRAM-SHA-256$4096:QUFBQUFBQUE=$" KEY ":QUFB",
	    "SCRAM-SHA-256$4096:QUFBQUFBQUE=$" KEY ":" KEY " ",
	    "SCRAM-SHA-256$4096:QUFBQUFBQUE=$" KEY ":" KEY "\n",
	};
	struct scram_secret s;

	cr_assert(scram_secret_parse(str_of("SCRAM-SHA-256$4096:QUFBQUFBQUE=$" KEY ":" KEY), &s));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_assert(!scram_secret_parse(str_of(bad[i]), &s), "%s", bad[i]);
}

Test(scram_secret, a_fake_is_stable_and_matches_nothing)
{
	struct str key = STR("the installation's own 32 bytes.");
	struct scram_secret a, b, c;

	scram_secret_fake(key, STR("nobody"), 20000, &a);
	scram_secret_fake(key, STR("nobody"), 20000, &b);
	scram_secret_fake(key, STR("nobodi"), 20000, &c);
	cr_assert_arr_eq(a.salt, b.salt, SCRAM_SECRET_SALT_BYTES);
	cr_assert(memcmp(a.salt, c.salt, SCRAM_SECRET_SALT_BYTES) != 0);
	cr_assert_eq(a.salt_n, SCRAM_SECRET_SALT_BYTES);
	scram_secret_fake(key, STR("nobody"), 4096, &b);
	cr_assert(memcmp(a.salt, b.salt, SCRAM_SECRET_SALT_BYTES) != 0,
	    "a new count comes with a new salt");
	scram_secret_fake(STR("another installation's 32 bytes."), STR("nobody"), 20000, &b);
	cr_assert(memcmp(a.salt, b.salt, SCRAM_SECRET_SALT_BYTES) != 0);
	cr_assert(!rig_password_matches(&a, STR("")));
}

Test(scram_secret, an_invalidated_secret_keeps_its_salt)
{
	struct scram_secret s, before;

	cr_assert(scram_secret_make(STR("pencil"), 4096, &s));
	before = s;
	scram_secret_invalidate(&s, STR("the installation's own 32 bytes."), STR("user"));
	cr_assert_arr_eq(s.salt, before.salt, s.salt_n);
	cr_assert_eq(s.iterations, before.iterations);
	cr_assert(!rig_password_matches(&s, STR("pencil")));
}
