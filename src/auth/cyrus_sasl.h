/*
 * cyrus_sasl: one check of a client's PLAIN or LOGIN message by Cyrus SASL, which is told
 * everything by us: no configuration file, only the plugins we name. It reads what a stranger
 * wrote; what comes out is the key derived from the password, never a verdict.  Everything here
 * blocks.  The only file that includes sasl/sasl.h is cyrus_sasl.c.
 */
#ifndef AUTH_CYRUS_SASL_H
#define AUTH_CYRUS_SASL_H

#include "auth/claimed_identity.h"

/* YES: the message is of the user, for itself, and has a password: key_out was derived from it. */
enum cyrus_sasl_result { CYRUS_SASL_YES, CYRUS_SASL_NO, CYRUS_SASL_BROKEN };

struct cyrus_sasl_login {
	struct str mechanism;
	struct str hostname;
	struct str user; /* canonical; no other is let in */
	struct str salt;
	uint32_t iterations;
};

/* Once per process, before any sandbox: loads the plugins and what they load late, by a login
 * of each mechanism. 0, or -1 (logged). */
int cyrus_sasl_prepare(void) MUST_USE;

/* PLAIN in one message, LOGIN in two. */
enum cyrus_sasl_result cyrus_sasl_check(const struct cyrus_sasl_login *login, struct str first,
    struct str second, uint8_t key_out[SCRAM_SECRET_KEY_BYTES]) MUST_USE;

#endif
