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
	SECRET_KEY_BYTES = 32,
	SECRET_SALT_BYTES = 16,
	SECRET_SALT_MAX = 64,
	SECRET_TEXT_BYTES = 256,
	SECRET_ITERATIONS_MIN = 4096,
	SECRET_ITERATIONS_FIRST = 20000, /* of version 0.1.0, unless configured */
	SECRET_ITERATIONS_MAX = 10000000,
	PASSWORD_MAX = 1024,
	PASSWORD_CHARACTERS_MIN = 8, /* of a new one */
};

struct secret {
	uint32_t iterations;
	uint8_t salt[SECRET_SALT_MAX];
	size_t salt_n;
	uint8_t stored_key[SECRET_KEY_BYTES];
	uint8_t server_key[SECRET_KEY_BYTES];
};

/* Draws a salt and derives; false: the count is out of bounds, or the password (1 to 1024 bytes, no
 * NUL, CR or LF). */
bool secret_make(struct str password, uint32_t iterations, struct secret *out) MUST_USE;
/* The two keys, from what stands in salt and iterations. */
bool secret_derive(struct secret *s, struct str password) MUST_USE;
/* The client's key, which the two keys of the store do not tell: who has it had the password, or
 * what is as good. */
bool secret_client_key(const struct secret *s, struct str password,
    uint8_t out[SECRET_KEY_BYTES]) MUST_USE;
/* This is the client's key of what is stored, compared in constant time. */
bool secret_is_proven(const struct secret *s, struct str client_key) MUST_USE;
bool secret_is_same(const struct secret *a, const struct secret *b) MUST_USE;
/* HMAC-SHA-256, as SCRAM signs. */
void secret_sign(
    const uint8_t key[SECRET_KEY_BYTES], struct str text, uint8_t out[SECRET_KEY_BYTES]);

/* A number of the installation's own for this purpose and user. */
uint64_t secret_draw(struct str installation_key, const char *purpose, struct str user);
/* For a name that no account has: the same salt each time (from the installation's key; another
 * one with another count, as a new password brings), and keys that no password gives. */
void secret_fake(
    struct str installation_key, struct str user, uint32_t iterations, struct secret *out);
/* Keys that no password gives, in place of the real ones; the salt stays. */
void secret_spoil(struct secret *s, struct str installation_key, struct str user);

bool secret_parse(struct str text, struct secret *out) MUST_USE;
/* Zero-terminated; returns out. */
char *secret_text(const struct secret *s, char out[SECRET_TEXT_BYTES]);

#endif
