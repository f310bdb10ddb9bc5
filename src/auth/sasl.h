/*
 * sasl: one conversation of a SASL server with Cyrus SASL, which is told everything by us: no
 * configuration file, only the plugins we name, only the secret we hand over.  Everything here
 * blocks.  The only file that includes sasl/sasl.h is sasl.c.
 */
#ifndef AUTH_SASL_H
#define AUTH_SASL_H

#include "auth/claim.h"

struct sasl_talk;

enum sasl_result { SASL_TALK_GO_ON, SASL_TALK_YES, SASL_TALK_NO, SASL_TALK_BROKEN };

enum { SASL_BINDING_MAX = 64, SASL_CHALLENGE_MAX = 4096 };

struct sasl_login {
	struct str mechanism;
	struct str hostname;
	struct str binding;   /* tls-exporter bytes (RFC 9266), empty: none */
	bool plus_offered;
	struct str user;      /* canonical; no other is let in */
	struct str secret;    /* as secret_text writes it */
};

/* Once per process, before any sandbox: loads the plugins and what they load late, by a login
 * of each mechanism that must fail in the right way. 0, or -1 (logged). */
int sasl_talk_prepare(void) MUST_USE;

/* PLAIN in one message, LOGIN in two: the whole check.  YES, NO or BROKEN. */
enum sasl_result sasl_talk_check(
    const struct sasl_login *login, struct str first, struct str second) MUST_USE;

/* SCRAM: begins with the client's first message.  NULL when it ends here, with the result. */
struct sasl_talk *sasl_talk_begin(const struct sasl_login *login, struct str first,
    enum sasl_result *result_out, struct str *challenge_out);
/* The challenge lives until the next call.  After anything but GO_ON the talk is over. */
enum sasl_result sasl_talk_step(struct sasl_talk *t, struct str response, struct str *challenge_out)
    MUST_USE;
void sasl_talk_end(struct sasl_talk **t);

#endif
