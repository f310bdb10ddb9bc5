/*
 * login: our side of SASL (RFC 4954): SCRAM-SHA-256 (RFC 7677), PLAIN, LOGIN.  Pure; tokens are
 * decoded bytes.  The password is wiped from every buffer made here.
 */
#ifndef RELAY_LOGIN_H
#define RELAY_LOGIN_H

#include "base/buf.h"

enum login_mechanism { LOGIN_NONE, LOGIN_SCRAM_SHA_256, LOGIN_PLAIN, LOGIN_LOGIN };
enum { LOGIN_NONCE_MAX = 64, LOGIN_TOKEN_MAX = 2048, LOGIN_ITERATIONS_MAX = 300000 };

struct login {
	enum login_mechanism mechanism;
	unsigned step;
	bool is_proven; /* SCRAM: the server knew the password too */
	struct str username;
	struct str password;
	char nonce[LOGIN_NONCE_MAX];
	struct buf auth_message; /* SCRAM: the bare first message, and what is added to it */
	unsigned char server_signature[32];
};

/* offered: " PLAIN LOGIN " as struct extensions has it.  False when nothing fits.  nonce:
 * printable, without a comma; NULL: drawn. */
bool login_begin(struct login *l, const char *offered, struct str username, struct str password,
    const char *nonce) MUST_USE;
void login_clear(struct login *l);
const char *login_name(const struct login *l);
/* The initial response; false: none, the server asks first. */
bool login_first(struct login *l, struct buf *out) MUST_USE;
/* A challenge -> the response; false: the challenge is wrong, give up. */
bool login_step(struct login *l, struct str challenge, struct buf *out) MUST_USE;
/* The server said yes: may it be believed? */
bool login_is_complete(const struct login *l);

#endif
