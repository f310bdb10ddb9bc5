/*
 * scram_server: the server side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677, RFC
 * 9266): the answer to the client's first message, and the check whether the client's final message
 * proves the password. It has no state, computes a few hashes and never blocks; only the nonce is
 * random.
 */
#ifndef AUTH_SCRAM_SERVER_H
#define AUTH_SCRAM_SERVER_H

#include "auth/claimed_identity.h"
#include "base/buf.h"

enum { SCRAM_SERVER_NONCE_BYTES = 18, SCRAM_SERVER_CHALLENGE_MAX = CLAIMED_MESSAGE_MAX + 256 };

struct scram_server_channel {
	bool is_plus; /* the client chose -PLUS */
	bool plus_offered;
	struct str binding; /* tls-exporter bytes; empty: none */
};

struct scram_server_exchange {
	struct str first;     /* of the client, as claimed_parse_scram accepted it */
	struct str challenge; /* as scram_server_challenge wrote it */
	struct str binding;   /* -PLUS: the bytes of the channel; else empty */
	const struct scram_secret *secret;
};

/* True: the binding agrees with what both sides offered (RFC 5802 section 6); "y" after an offer is
 * a downgrade. */
bool scram_server_is_bound(
    const struct claimed_identity *identity, const struct scram_server_channel *channel) MUST_USE;
/* Writes the server's first message; out has room for SCRAM_SERVER_CHALLENGE_MAX. */
void scram_server_challenge(struct str first, const struct scram_secret *secret, struct buf *out);
/* True: the final message belongs to this exchange and this channel, and proves the password; then
 * out has the server's final message. */
bool scram_server_is_proven(
    const struct scram_server_exchange *exchange, struct str final, struct buf *out) MUST_USE;

#endif
