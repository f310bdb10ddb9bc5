/*
 * smtp_sasl: our side of SASL (RFC 4954): SCRAM-SHA-256 (RFC 7677), PLAIN, LOGIN.  Pure; tokens are
 * decoded bytes.  The password is wiped from every buffer made here.
 */
#ifndef RELAY_SMTP_SASL_H
#define RELAY_SMTP_SASL_H

#include "base/buf.h"

enum proof_mechanism { PROOF_NONE, PROOF_SCRAM_SHA_256, PROOF_PLAIN, PROOF_LOGIN };
enum { PROOF_NONCE_MAX = 64, PROOF_TOKEN_MAX = 2048, PROOF_ITERATIONS_MAX = 300000 };

struct proof {
	enum proof_mechanism mechanism;
	unsigned step;
	bool is_proven; /* SCRAM: the server knew the password too */
	struct str username;
	struct str password;
	char nonce[PROOF_NONCE_MAX];
	struct buf auth_message; /* SCRAM: the bare first message, and what is added to it */
	unsigned char server_signature[32];
};

/* offered: " PLAIN LOGIN " as struct extensions has it.  False when nothing fits.  nonce:
 * printable, without a comma; NULL: drawn. */
bool proof_begin(struct proof *l, const char *offered, struct str username, struct str password,
    const char *nonce) MUST_USE;
void proof_clear(struct proof *l);
const char *proof_name(const struct proof *l);
/* The initial response; false: none, the server asks first. */
bool proof_first(struct proof *l, struct buf *out) MUST_USE;
/* A challenge -> the response; false: the challenge is wrong, give up. */
bool proof_step(struct proof *l, struct str challenge, struct buf *out) MUST_USE;
/* The server said yes: may it be believed? */
bool proof_is_complete(const struct proof *l);

#endif
