/*
 * scram_secret: the salted password is wiped before the function that computes it returns, and keys
 * are compared in constant time. What is shown for a name without an account depends only on the
 * installation's key, the name and the count, so it is the same each time. The words for the
 * purposes must not change, or clients would see other salts.
 */
#include "auth/scram_secret.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>

#include "base/encode.h"
#include "base/mem.h"

static bool
hmac_sha256_of_secret(struct str key, struct str data, uint8_t out[SCRAM_SECRET_KEY_BYTES])
{
	return gnutls_hmac_fast(GNUTLS_MAC_SHA256, key.p, key.n, data.p, data.n, out) == 0;
}

static struct str
key_str(const uint8_t key[SCRAM_SECRET_KEY_BYTES])
{
	return str_make((const char *)key, SCRAM_SECRET_KEY_BYTES);
}

static bool
salted_password_of(
    const struct scram_secret *s, struct str password, uint8_t out[SCRAM_SECRET_KEY_BYTES])
{
	gnutls_datum_t key = {(unsigned char *)password.p, (unsigned)password.n};
	gnutls_datum_t salt = {(unsigned char *)s->salt, (unsigned)s->salt_n};

	return password.n > 0 && password.n <= PASSWORD_MAX &&
	    gnutls_pbkdf2(
		GNUTLS_MAC_SHA256, &key, &salt, s->iterations, out, SCRAM_SECRET_KEY_BYTES) == 0;
}

bool
scram_secret_client_key(
    const struct scram_secret *s, struct str password, uint8_t out[SCRAM_SECRET_KEY_BYTES])
{
	uint8_t salted[SCRAM_SECRET_KEY_BYTES];
	bool ok = salted_password_of(s, password, salted) &&
	          hmac_sha256_of_secret(key_str(salted), STR("Client Key"), out);

	mem_wipe(salted, sizeof salted);
	return ok;
}

bool
scram_secret_derive(struct scram_secret *s, struct str password)
{
	uint8_t salted[SCRAM_SECRET_KEY_BYTES], client[SCRAM_SECRET_KEY_BYTES];
	bool ok = salted_password_of(s, password, salted) &&
	    hmac_sha256_of_secret(key_str(salted), STR("Client Key"), client) &&
	    gnutls_hash_fast(GNUTLS_DIG_SHA256, client, sizeof client, s->stored_key) == 0 &&
	    hmac_sha256_of_secret(key_str(salted), STR("Server Key"), s->server_key);

	mem_wipe(salted, sizeof salted);
	mem_wipe(client, sizeof client);
	return ok;
}

bool
scram_secret_is_proven(const struct scram_secret *s, struct str client_key)
{
	uint8_t hash[SCRAM_SECRET_KEY_BYTES];

	return client_key.n == SCRAM_SECRET_KEY_BYTES &&
	    gnutls_hash_fast(GNUTLS_DIG_SHA256, client_key.p, client_key.n, hash) == 0 &&
	    gnutls_memcmp(hash, s->stored_key, sizeof hash) == 0;
}

bool
scram_secret_is_same(const struct scram_secret *a, const struct scram_secret *b)
{
	return a->iterations == b->iterations && a->salt_n == b->salt_n &&
	    memcmp(a->salt, b->salt, a->salt_n) == 0 &&
	    gnutls_memcmp(a->stored_key, b->stored_key, sizeof a->stored_key) == 0 &&
	    gnutls_memcmp(a->server_key, b->server_key, sizeof a->server_key) == 0;
}

void
scram_secret_sign(
    const uint8_t key[SCRAM_SECRET_KEY_BYTES], struct str text, uint8_t out[SCRAM_SECRET_KEY_BYTES])
{
	if (!hmac_sha256_of_secret(key_str(key), text, out))
		die("no HMAC");
}

bool
scram_secret_make(struct str password, uint32_t iterations, struct scram_secret *out)
{
	*out = (struct scram_secret){.iterations = iterations, .salt_n = SCRAM_SECRET_SALT_BYTES};
	if (iterations < SCRAM_SECRET_ITERATIONS_MIN || iterations > SCRAM_SECRET_ITERATIONS_MAX)
		return false;
	/* no client could send it (RFC 4616), or not with every mechanism */
	if (str_has(password, 0) || str_has(password, '\r') || str_has(password, '\n'))
		return false;
	if (gnutls_rnd(GNUTLS_RND_NONCE, out->salt, out->salt_n) != 0)
		die("no random bytes");
	return scram_secret_derive(out, password);
}

/* A value that this installation gives for this purpose and user. */
static void
derive_fixed_bytes(struct str installation_key, const char *purpose, struct str user,
    uint8_t out[SCRAM_SECRET_KEY_BYTES])
{
	uint8_t sub_key[SCRAM_SECRET_KEY_BYTES];

	if (!hmac_sha256_of_secret(installation_key, str_of(purpose), sub_key) ||
	    !hmac_sha256_of_secret(key_str(sub_key), user, out))
		die("no HMAC");
	mem_wipe(sub_key, sizeof sub_key);
}

void
scram_secret_invalidate(struct scram_secret *s, struct str installation_key, struct str user)
{
	derive_fixed_bytes(installation_key, "stored key", user, s->stored_key);
	derive_fixed_bytes(installation_key, "server key", user, s->server_key);
}

uint64_t
scram_secret_fixed_number(struct str installation_key, const char *purpose, struct str user)
{
	uint8_t bytes[SCRAM_SECRET_KEY_BYTES];
	uint64_t n;

	derive_fixed_bytes(installation_key, purpose, user, bytes);
	memcpy(&n, bytes, sizeof n);
	return n;
}

/* A real account gets a new salt with each new count. The purpose without a count keeps the salts
 * that version 0.1.0 showed. */
void
scram_secret_fake(
    struct str installation_key, struct str user, uint32_t iterations, struct scram_secret *out)
{
	uint8_t salt[SCRAM_SECRET_KEY_BYTES];
	char purpose[32];

	*out = (struct scram_secret){.iterations = iterations, .salt_n = SCRAM_SECRET_SALT_BYTES};
	snprintf(purpose, sizeof purpose, "salt %u", iterations);
	derive_fixed_bytes(installation_key,
	    iterations == SCRAM_SECRET_ITERATIONS_FIRST ? "salt" : purpose, user, salt);
	memcpy(out->salt, salt, SCRAM_SECRET_SALT_BYTES);
	scram_secret_invalidate(out, installation_key, user);
}

/* ---- text ---- */

static bool
parse_secret_bytes(struct str text, size_t min, size_t max, uint8_t *out, size_t *n_out)
{
	struct buf plain;
	bool ok;

	buf_init(&plain, max);
	ok = decode_base64(&plain, text) && plain.n >= min;
	if (ok)
		memcpy(out, plain.p, plain.n);
	*n_out = plain.n;
	buf_clear(&plain);
	return ok;
}

static bool
parse_secret_key(struct str text, uint8_t out[SCRAM_SECRET_KEY_BYTES])
{
	size_t n;

	return parse_secret_bytes(text, SCRAM_SECRET_KEY_BYTES, SCRAM_SECRET_KEY_BYTES, out, &n);
}

/* Both halves must be there: str_split alone would accept "a" as "a" and an empty half. */
static bool
split_in_two(struct str text, char sep, struct str *left, struct str *right)
{
	size_t at = str_find(text, sep);

	*left = str_upto(text, at);
	*right = str_from(text, at + 1);
	return at < text.n;
}

bool
scram_secret_parse(struct str text, struct scram_secret *out)
{
	struct str scheme, rest, iterations, salt, stored, server;
	uint64_t count;

	*out = (struct scram_secret){0};
	if (!split_in_two(text, '$', &scheme, &rest) || !str_eq(scheme, STR("SCRAM-SHA-256")))
		return false;
	if (!split_in_two(rest, ':', &iterations, &rest) ||
	    !split_in_two(rest, '$', &salt, &rest) || !split_in_two(rest, ':', &stored, &server))
		return false;
	if (!str_u64(iterations, &count) || count < SCRAM_SECRET_ITERATIONS_MIN ||
	    count > SCRAM_SECRET_ITERATIONS_MAX)
		return false;
	out->iterations = (uint32_t)count;
	return parse_secret_bytes(salt, 8, SCRAM_SECRET_SALT_MAX, out->salt, &out->salt_n) &&
	    parse_secret_key(stored, out->stored_key) && parse_secret_key(server, out->server_key);
}

char *
scram_secret_text(const struct scram_secret *s, char out[SCRAM_SECRET_TEXT_BYTES])
{
	struct buf b;

	buf_init(&b, SCRAM_SECRET_TEXT_BYTES - 1);
	buf_addf(&b, "SCRAM-SHA-256$%u:", s->iterations);
	encode_base64(&b, str_make((const char *)s->salt, s->salt_n));
	buf_addc(&b, '$');
	encode_base64(&b, key_str(s->stored_key));
	buf_addc(&b, ':');
	encode_base64(&b, key_str(s->server_key));
	if (!buf_ok(&b))
		die("secret text too long");
	memcpy(out, b.p, b.n);
	out[b.n] = 0;
	mem_wipe(b.p, b.n);
	buf_clear(&b);
	return out;
}
