/*
 * cyrus_sasl: checks a client's PLAIN or LOGIN message with Cyrus SASL. The library gets all
 * settings from this file: it reads no configuration file and loads only the plugins that are named
 * here. It parses what an unknown client sent; the result is the key derived from the password,
 * never a decision. All functions block. The only file that includes sasl/sasl.h is cyrus_sasl.c.
 */
#ifndef AUTH_CYRUS_SASL_H
#define AUTH_CYRUS_SASL_H

#include "auth/claimed_identity.h"

/* YES: the message is from the user, with no other authorization identity, and has a password, from
 * which key_out was derived. */
enum cyrus_sasl_result { CYRUS_SASL_YES, CYRUS_SASL_NO, CYRUS_SASL_BROKEN };

struct cyrus_sasl_login {
	struct str mechanism;
	struct str hostname;
	struct str user; /* canonical; no other name is accepted */
	struct str salt;
	uint32_t iterations;
};

/* Called once per process, before any sandbox: a test login of each mechanism loads the plugins and
 * what they load late. 0, or -1 (logged). */
int cyrus_sasl_prepare(void) MUST_USE;

/* Checks PLAIN in one message, LOGIN in two. key_out is set only with YES. */
enum cyrus_sasl_result cyrus_sasl_check(const struct cyrus_sasl_login *login, struct str first,
    struct str second, uint8_t key_out[SCRAM_SECRET_KEY_BYTES]) MUST_USE;

#endif
