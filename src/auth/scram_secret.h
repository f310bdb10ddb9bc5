/*
 * scram_secret: what is stored in place of a password: salt, iteration count and the two keys that
 * SCRAM-SHA-256 derives (RFC 5802 section 3, RFC 7677). The same form serves SCRAM and plaintext
 * checks. As text: "SCRAM-SHA-256$20000:SALT$STOREDKEY:SERVERKEY", base64.
 *
 * Passwords are bytes and are not prepared (SASLprep), because Cyrus SASL does not prepare them for
 * SCRAM either. Printable ASCII is the same in both forms; other characters must be typed in the
 * same form each time.
 */
#ifndef AUTH_SCRAM_SECRET_H
#define AUTH_SCRAM_SECRET_H

#include "base/str.h"

enum {
	SCRAM_SECRET_KEY_BYTES = 32,
	SCRAM_SECRET_SALT_BYTES = 16,
	SCRAM_SECRET_SALT_MAX = 64,
	SCRAM_SECRET_TEXT_BYTES = 256,
	SCRAM_SECRET_ITERATIONS_MIN = 4096,
	SCRAM_SECRET_ITERATIONS_FIRST = 20000, /* of version 0.1.0, unless configured */
	SCRAM_SECRET_ITERATIONS_MAX = 10000000,
	PASSWORD_MAX = 1024,
	PASSWORD_CHARACTERS_MIN = 8, /* of a new password */
};

struct scram_secret {
	uint32_t iterations;
	uint8_t salt[SCRAM_SECRET_SALT_MAX];
	size_t salt_n;
	uint8_t stored_key[SCRAM_SECRET_KEY_BYTES];
	uint8_t server_key[SCRAM_SECRET_KEY_BYTES];
};

/* Draws a salt and derives the keys. False: the count is out of bounds, or the password is not
 * valid (1 to 1024 bytes, no NUL, CR or LF). */
bool scram_secret_make(struct str password, uint32_t iterations, struct scram_secret *out) MUST_USE;
/* Derives the two keys from the password, with the salt and iterations in s. */
bool scram_secret_derive(struct scram_secret *s, struct str password) MUST_USE;
/* Derives the client's key. It cannot be computed from the two stored keys: it proves the password,
 * or something equivalent. */
bool scram_secret_client_key(const struct scram_secret *s, struct str password,
    uint8_t out[SCRAM_SECRET_KEY_BYTES]) MUST_USE;
/* True: this is the client's key for the stored key; compared in constant time. */
bool scram_secret_is_proven(const struct scram_secret *s, struct str client_key) MUST_USE;
/* True: salt, count and keys are the same. */
bool scram_secret_is_same(const struct scram_secret *a, const struct scram_secret *b) MUST_USE;
/* HMAC-SHA-256, as SCRAM signs messages. */
void scram_secret_sign(const uint8_t key[SCRAM_SECRET_KEY_BYTES], struct str text,
    uint8_t out[SCRAM_SECRET_KEY_BYTES]);

/* A number that this installation gives for this purpose and user, always the same. */
uint64_t scram_secret_fixed_number(
    struct str installation_key, const char *purpose, struct str user);
/* A secret for a name that no account has. The salt is the same each time (it comes from the
 * installation's key; it differs with the count, as after a new password), and no password matches
 * the keys. */
void scram_secret_fake(
    struct str installation_key, struct str user, uint32_t iterations, struct scram_secret *out);
/* Replaces the keys with keys that match no password; the salt stays. */
void scram_secret_invalidate(struct scram_secret *s, struct str installation_key, struct str user);

/* Reads the text form. False: malformed, or out of bounds. */
bool scram_secret_parse(struct str text, struct scram_secret *out) MUST_USE;
/* Zero-terminated; returns out. */
char *scram_secret_text(const struct scram_secret *s, char out[SCRAM_SECRET_TEXT_BYTES]);

#endif
