/*
 * smtp_sasl: the mechanisms in order of preference, and the computation of SCRAM.
 */
#include "relay/smtp_sasl.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "base/encode.h"
#include "base/mem.h"

enum { HASH_BYTES = 32, NONCE_BYTES = 18, SALT_MAX = 256, ITERATIONS_MIN = 4096 };

static const struct {
	enum smtp_sasl_mechanism mechanism;
	const char *name; /* as in the list of the host: between blanks */
	const char *plain;
} mechanisms[] = {
    {SMTP_SASL_SCRAM_SHA_256, " SCRAM-SHA-256 ", "SCRAM-SHA-256"},
    {SMTP_SASL_PLAIN, " PLAIN ", "PLAIN"},
    {SMTP_SASL_LOGIN, " LOGIN ", "LOGIN"},
};

static void
draw_nonce(char out[SMTP_SASL_NONCE_MAX])
{
	unsigned char random[NONCE_BYTES];
	struct buf text;

	if (gnutls_rnd(GNUTLS_RND_NONCE, random, sizeof random) < 0)
		die("relay login: no random bytes");
	buf_init(&text, SMTP_SASL_NONCE_MAX - 1);
	encode_base64(&text, str_make((char *)random, sizeof random));
	memcpy(out, text.p, text.n);
	out[text.n] = '\0';
	buf_clear(&text);
}

bool
smtp_sasl_begin(struct smtp_sasl *sasl, const char *offered, struct str username,
    struct str password, const char *nonce)
{
	*sasl = (struct smtp_sasl){.username = username, .password = password};
	buf_init(&sasl->auth_message, 3 * SMTP_SASL_TOKEN_MAX);
	for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms && !sasl->mechanism; i++)
		if (strstr(offered, mechanisms[i].name))
			sasl->mechanism = mechanisms[i].mechanism;
	if (nonce && strlen(nonce) < sizeof sasl->nonce)
		memcpy(sasl->nonce, nonce, strlen(nonce) + 1);
	else
		draw_nonce(sasl->nonce);
	return sasl->mechanism != SMTP_SASL_NONE;
}

void
smtp_sasl_clear(struct smtp_sasl *sasl)
{
	buf_clear(&sasl->auth_message);
	mem_wipe(sasl, sizeof *sasl);
}

const char *
smtp_sasl_mechanism_name(const struct smtp_sasl *sasl)
{
	for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++)
		if (mechanisms[i].mechanism == sasl->mechanism)
			return mechanisms[i].plain;
	return "";
}

/* RFC 5802 section 5.1: saslname. */
static void
add_saslname(struct buf *out, struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == ',')
			buf_addz(out, "=2C");
		else if (name.p[i] == '=')
			buf_addz(out, "=3D");
		else
			buf_addc(out, name.p[i]);
	}
}

bool
smtp_sasl_initial_response(struct smtp_sasl *sasl, struct buf *out)
{
	sasl->step = 1;
	switch (sasl->mechanism) {
	case SMTP_SASL_SCRAM_SHA_256:
		buf_addz(&sasl->auth_message, "n=");
		add_saslname(&sasl->auth_message, sasl->username);
		buf_addf(&sasl->auth_message, ",r=%s", sasl->nonce);
		buf_addz(out, "n,,");
		return buf_adds(out, buf_str(&sasl->auth_message));
	case SMTP_SASL_PLAIN:
		buf_addc(out, '\0');
		buf_adds(out, sasl->username);
		buf_addc(out, '\0');
		return buf_adds(out, sasl->password);
	default:
		return false;
	}
}

static void
smtp_sasl_hmac(const unsigned char key[HASH_BYTES], struct str text, unsigned char out[HASH_BYTES])
{
	if (gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, HASH_BYTES, text.p, text.n, out) < 0)
		die("relay login: no HMAC");
}

struct smtp_sasl_challenge {
	struct str nonce;
	struct buf salt;
	uint64_t iterations;
};

/* "r=…,s=…,i=…".  Refused: a nonce that does not continue ours, and an iteration count that would
 * block the loop. */
static bool
parse_scram_challenge(
    const struct smtp_sasl *sasl, struct str text, struct smtp_sasl_challenge *out)
{
	struct str salt, iterations;

	if (!str_split(&text, ',', &out->nonce) || !str_split(&text, ',', &salt))
		return false;
	iterations = str_upto(text, str_find(text, ','));
	if (!str_starts(out->nonce, STR("r=")) || !str_starts(salt, STR("s=")) ||
	    !str_starts(iterations, STR("i=")))
		return false;
	out->nonce = str_from(out->nonce, 2);
	return str_starts(out->nonce, str_of(sasl->nonce)) && out->nonce.n > strlen(sasl->nonce) &&
	       decode_base64(&out->salt, str_from(salt, 2)) && out->salt.n > 0 &&
	       str_u64(str_from(iterations, 2), &out->iterations) &&
	       out->iterations >= ITERATIONS_MIN && out->iterations <= SMTP_SASL_ITERATIONS_MAX;
}

/* RFC 5802 section 3. */
static void
compute_client_proof(
    struct smtp_sasl *sasl, const struct smtp_sasl_challenge *ch, unsigned char proof[HASH_BYTES])
{
	unsigned char salted[HASH_BYTES], key[HASH_BYTES], stored[HASH_BYTES],
	    signature[HASH_BYTES];
	gnutls_datum_t password = {(void *)sasl->password.p, (unsigned)sasl->password.n};
	gnutls_datum_t salt = {(void *)ch->salt.p, (unsigned)ch->salt.n};

	if (gnutls_pbkdf2(GNUTLS_MAC_SHA256, &password, &salt, (unsigned)ch->iterations, salted,
	        sizeof salted) < 0)
		die("relay login: no PBKDF2");
	smtp_sasl_hmac(salted, STR("Client Key"), key);
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, key, sizeof key, stored) < 0)
		die("relay login: no SHA-256");
	smtp_sasl_hmac(stored, buf_str(&sasl->auth_message), signature);
	for (size_t i = 0; i < HASH_BYTES; i++)
		proof[i] = key[i] ^ signature[i];
	smtp_sasl_hmac(salted, STR("Server Key"), key);
	smtp_sasl_hmac(key, buf_str(&sasl->auth_message), sasl->server_signature);
	mem_wipe(salted, sizeof salted);
	mem_wipe(key, sizeof key);
}

static bool
answer_scram_challenge(struct smtp_sasl *sasl, struct str challenge, struct buf *out)
{
	struct smtp_sasl_challenge ch = {.iterations = 0};
	unsigned char proof[HASH_BYTES];
	bool ok;

	buf_init(&ch.salt, SALT_MAX);
	ok = challenge.n <= SMTP_SASL_TOKEN_MAX && parse_scram_challenge(sasl, challenge, &ch);
	if (ok) {
		buf_addf(&sasl->auth_message, ",%.*s,c=biws,r=%.*s", STR_ARG(challenge),
		    STR_ARG(ch.nonce));
		compute_client_proof(sasl, &ch, proof);
		buf_addf(out, "c=biws,r=%.*s,p=", STR_ARG(ch.nonce));
		ok = buf_ok(&sasl->auth_message) &&
		     encode_base64(out, str_make((char *)proof, sizeof proof));
	}
	buf_clear(&ch.salt);
	return ok;
}

static bool
verify_server_signature(struct smtp_sasl *sasl, struct str final)
{
	struct buf signature;

	buf_init(&signature, HASH_BYTES * 2);
	if (str_starts(final, STR("v=")) &&
	    decode_base64(
	        &signature, str_upto(str_from(final, 2), str_find(str_from(final, 2), ','))))
		sasl->server_is_verified = signature.n == HASH_BYTES &&
		               gnutls_memcmp(signature.p, sasl->server_signature, HASH_BYTES) == 0;
	buf_clear(&signature);
	return sasl->server_is_verified;
}

bool
smtp_sasl_respond(struct smtp_sasl *sasl, struct str challenge, struct buf *out)
{
	unsigned step = sasl->step++;

	if (sasl->mechanism == SMTP_SASL_LOGIN && step <= 2)
		return buf_adds(out, step == 1 ? sasl->username : sasl->password);
	if (sasl->mechanism == SMTP_SASL_SCRAM_SHA_256 && step == 1)
		return answer_scram_challenge(sasl, challenge, out);
	return sasl->mechanism == SMTP_SASL_SCRAM_SHA_256 && step == 2 &&
	       verify_server_signature(sasl, challenge);
}

bool
smtp_sasl_is_complete(const struct smtp_sasl *sasl)
{
	switch (sasl->mechanism) {
	case SMTP_SASL_SCRAM_SHA_256:
		return sasl->server_is_verified;
	case SMTP_SASL_LOGIN:
		return sasl->step == 3;
	default:
		return sasl->step >= 1;
	}
}
