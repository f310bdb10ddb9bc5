/*
 * scram_server: the client's final message is compared byte for byte with the expected one, except
 * for extensions and the proof; any difference means that there is no proof.
 */
#include "auth/scram_server.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "base/encode.h"
#include "base/mem.h"

static const char proof_attribute[] = ",p=";

bool
scram_server_is_bound(
    const struct claimed_identity *identity, const struct scram_server_channel *channel)
{
	if (channel->is_plus)
		return channel->binding.n > 0 && identity->binding == CLAIMED_BINDING_EXPORTER;
	if (identity->binding == CLAIMED_BINDING_NOT_SEEN)
		return !channel->plus_offered;
	return identity->binding == CLAIMED_BINDING_NONE;
}

/* The GS2 header, such as "n,a=other,": all up to and including the second comma. */
static struct str
gs2_header(struct str first)
{
	size_t flag_n = str_find(first, ',') + 1;

	return str_upto(first, flag_n + str_find(str_from(first, flag_n), ',') + 1);
}

/* The text after "r=" in "n=user,r=nonce,...". */
static struct str
client_nonce_of(struct str first)
{
	struct str bare = str_from(first, gs2_header(first).n);
	struct str nonce = str_from(bare, str_find(bare, ',') + 3);

	return str_upto(nonce, str_find(nonce, ','));
}

void
scram_server_challenge(struct str first, const struct scram_secret *secret, struct buf *out)
{
	char random[SCRAM_SERVER_NONCE_BYTES];

	if (gnutls_rnd(GNUTLS_RND_NONCE, random, sizeof random) != 0)
		die("no random bytes");
	buf_addz(out, "r=");
	buf_adds(out, client_nonce_of(first));
	encode_base64(out, str_make(random, sizeof random));
	buf_addz(out, ",s=");
	encode_base64(out, str_make((const char *)secret->salt, secret->salt_n));
	buf_addf(out, ",i=%u", secret->iterations);
}

/* The expected final message before the proof: "c=" binding ",r=" nonce. */
static void
write_expected_final(const struct scram_server_exchange *exchange, struct buf *out)
{
	struct buf channel;

	buf_init(&channel, CLAIMED_MESSAGE_MAX + 256);
	buf_adds(&channel, gs2_header(exchange->first));
	buf_adds(&channel, exchange->binding);
	buf_addz(out, "c=");
	encode_base64(out, buf_str(&channel));
	buf_addc(out, ',');
	buf_adds(out, str_upto(exchange->challenge, str_find(exchange->challenge, ',')));
	buf_clear(&channel);
}

static bool
is_of_scram_exchange(const struct scram_server_exchange *exchange, struct str without_proof)
{
	struct buf expected;
	bool is_valid;

	buf_init(&expected, (size_t)4 * CLAIMED_MESSAGE_MAX);
	write_expected_final(exchange, &expected);
	is_valid = buf_ok(&expected) && str_starts(without_proof, buf_str(&expected)) &&
	    (without_proof.n == expected.n || without_proof.p[expected.n] == ',');
	buf_clear(&expected);
	return is_valid;
}

/* Splits off the proof, which is the last attribute. */
static bool
split_client_proof(
    struct str final, struct str *without_out, uint8_t proof_out[SCRAM_SECRET_KEY_BYTES])
{
	size_t mark_n = sizeof proof_attribute - 1;
	struct buf plain;
	size_t at = final.n;
	bool ok;

	while (at > 0 && !str_starts(str_from(final, at), str_of(proof_attribute)))
		at--;
	*without_out = str_upto(final, at);
	buf_init(&plain, SCRAM_SECRET_KEY_BYTES);
	ok = at > 0 && decode_base64(&plain, str_from(final, at + mark_n)) &&
	    plain.n == SCRAM_SECRET_KEY_BYTES;
	if (ok)
		memcpy(proof_out, plain.p, SCRAM_SECRET_KEY_BYTES);
	buf_clear(&plain);
	return ok;
}

static bool
scram_proof_is_valid(const struct scram_secret *secret, struct str signed_text,
    const uint8_t proof[SCRAM_SECRET_KEY_BYTES])
{
	uint8_t key[SCRAM_SECRET_KEY_BYTES];
	bool is_valid;

	scram_secret_sign(secret->stored_key, signed_text, key);
	for (size_t i = 0; i < sizeof key; i++)
		key[i] ^= proof[i];
	is_valid = scram_secret_is_proven(secret, str_make((const char *)key, sizeof key));
	mem_wipe(key, sizeof key);
	return is_valid;
}

bool
scram_server_is_proven(
    const struct scram_server_exchange *exchange, struct str final, struct buf *out)
{
	uint8_t proof[SCRAM_SECRET_KEY_BYTES], signature[SCRAM_SECRET_KEY_BYTES];
	struct str without;
	struct buf text;
	bool is_valid;

	if (!split_client_proof(final, &without, proof) || !is_of_scram_exchange(exchange, without))
		return false;
	buf_init(&text, (size_t)4 * CLAIMED_MESSAGE_MAX);
	buf_adds(&text, str_from(exchange->first, gs2_header(exchange->first).n));
	buf_addc(&text, ',');
	buf_adds(&text, exchange->challenge);
	buf_addc(&text, ',');
	buf_adds(&text, without);
	is_valid = buf_ok(&text) && scram_proof_is_valid(exchange->secret, buf_str(&text), proof);
	if (is_valid) {
		scram_secret_sign(exchange->secret->server_key, buf_str(&text), signature);
		buf_addz(out, "v=");
		encode_base64(out, str_make((const char *)signature, sizeof signature));
	}
	buf_clear(&text);
	return is_valid;
}
