/*
 * smtp_sasl: the client side of SASL (RFC 4954): SCRAM-SHA-256 (RFC 7677), PLAIN, LOGIN.  Pure;
 * tokens are decoded bytes.  The password is wiped from every buffer that is made here.
 */
#ifndef RELAY_SMTP_SASL_H
#define RELAY_SMTP_SASL_H

#include "base/buf.h"

enum smtp_sasl_mechanism {
	SMTP_SASL_NONE,
	SMTP_SASL_SCRAM_SHA_256,
	SMTP_SASL_PLAIN,
	SMTP_SASL_LOGIN
};
enum { SMTP_SASL_NONCE_MAX = 64, SMTP_SASL_TOKEN_MAX = 2048, SMTP_SASL_ITERATIONS_MAX = 300000 };

struct smtp_sasl {
	enum smtp_sasl_mechanism mechanism;
	unsigned step;
	bool server_is_verified; /* SCRAM: the server has proven that it knows the password */
	struct str username;
	struct str password;
	char nonce[SMTP_SASL_NONCE_MAX];
	struct buf auth_message; /* SCRAM: client-first-message-bare and what is added to it */
	unsigned char server_signature[32];
};

/* Chooses a mechanism. offered: " PLAIN LOGIN ", as in struct smtp_extensions.  False: no mechanism
 * is known. nonce: printable, without a comma; NULL: a random one. */
bool smtp_sasl_begin(struct smtp_sasl *sasl, const char *offered, struct str username,
    struct str password, const char *nonce) MUST_USE;
/* Wipes everything; allowed after a failed smtp_sasl_begin too. */
void smtp_sasl_clear(struct smtp_sasl *sasl);
/* "": no mechanism. */
const char *smtp_sasl_mechanism_name(const struct smtp_sasl *sasl);
/* Appends the initial response; false: there is none, the server sends a challenge first. */
bool smtp_sasl_initial_response(struct smtp_sasl *sasl, struct buf *out) MUST_USE;
/* Appends the response to a challenge; false: the challenge is wrong, the login has failed. */
bool smtp_sasl_respond(struct smtp_sasl *sasl, struct str challenge, struct buf *out) MUST_USE;
/* The server reported success: whether that is complete and, with SCRAM, proven. */
bool smtp_sasl_is_complete(const struct smtp_sasl *sasl);

#endif
