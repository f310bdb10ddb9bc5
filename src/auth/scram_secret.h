/*
 * scram_secret: what is stored in place of a password: salt, iteration count and the two keys that
 * SCRAM-SHA-256 derives (RFC 5802 section 3, RFC 7677).  One form serves SCRAM and plain checks.
 * As text: "SCRAM-SHA-256$20000:SALT$STOREDKEY:SERVERKEY", base64.
 *
 * Passwords are bytes: they are not prepared (SASLprep), because Cyrus SASL prepares none in SCRAM
 * either.  Printable ASCII is the same in both worlds; what else is typed must be typed alike.
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
	PASSWORD_CHARACTERS_MIN = 8, /* of a new one */
};

struct scram_secret {
	uint32_t iterations;
	uint8_t salt[SCRAM_SECRET_SALT_MAX];
	size_t salt_n;
	uint8_t stored_key[SCRAM_SECRET_KEY_BYTES];
	uint8_t server_key[SCRAM_SECRET_KEY_BYTES];
};

/* Draws a salt and derives; false: the count is out of bounds, or the password (1 to 1024 bytes, no
 * NUL, CR or LF). */
bool scram_secret_make(struct str password, uint32_t iterations, struct scram_secret *out) MUST_USE;
/* The two keys, from what stands in salt and iterations. */
bool scram_secret_derive(struct scram_secret *s, struct str password) MUST_USE;
/* The client's key, which the two keys of the store do not tell: who has it had the password, or
 * what is as good. */
bool scram_secret_client_key(const struct scram_secret *s, struct str password,
    uint8_t out[SCRAM_SECRET_KEY_BYTES]) MUST_USE;
/* This is the client's key of what is stored, compared in constant time. */
bool scram_secret_is_proven(const struct scram_secret *s, struct str client_key) MUST_USE;
bool scram_secret_is_same(const struct scram_secret *a, const struct scram_secret *b) MUST_USE;
/* HMAC-SHA-256, as SCRAM signs. */
void scram_secret_sign(const uint8_t key[SCRAM_SECRET_KEY_BYTES], struct str text,
    uint8_t out[SCRAM_SECRET_KEY_BYTES]);

/* A number of the installation's own for this purpose and user. */
uint64_t scram_secret_fixed_number(
    struct str installation_key, const char *purpose, struct str user);
/* For a name that no account has: the same salt each time (from the installation's key; another
 * one with another count, as a new password brings), and keys that no password gives. */
void scram_secret_fake(
    struct str installation_key, struct str user, uint32_t iterations, struct scram_secret *out);
/* Keys that no password gives, in place of the real ones; the salt stays. */
void scram_secret_invalidate(struct scram_secret *s, struct str installation_key, struct str user);

bool scram_secret_parse(struct str text, struct scram_secret *out) MUST_USE;
/* Zero-terminated; returns out. */
char *scram_secret_text(const struct scram_secret *s, char out[SCRAM_SECRET_TEXT_BYTES]);

#endif
