/*
 * claimed_identity: the identity that a client claims, read from its first SASL message before
 * anything is checked: PLAIN (RFC 4616) and SCRAM's client-first-message (RFC 5802 section 7). The
 * broker needs the name to find the account; the worker accepts only the name that was found here.
 */
#ifndef AUTH_CLAIMED_IDENTITY_H
#define AUTH_CLAIMED_IDENTITY_H

#include "auth/scram_secret.h"

enum { CLAIMED_USER_MAX = 255, CLAIMED_MESSAGE_MAX = 2048, CLAIMED_NETWORK_BYTES = 8 };

enum claimed_binding {
	CLAIMED_BINDING_NONE,     /* "n": the client cannot bind */
	CLAIMED_BINDING_NOT_SEEN, /* "y": it can, and believes that the server cannot */
	CLAIMED_BINDING_EXPORTER, /* "p=tls-exporter" */
	CLAIMED_BINDING_OTHER,    /* "p=" and another type */
};

struct claimed_identity {
	char user[CLAIMED_USER_MAX + 1]; /* canonical: ASCII letters in lower case */
	size_t user_n;
	char authzid[CLAIMED_USER_MAX + 1]; /* the authorization identity, canonical too */
	size_t authzid_n;
	struct str password;          /* PLAIN; points into the message */
	bool has_other_authzid;       /* the authorization identity is not the user */
	enum claimed_binding binding; /* SCRAM */
};

/* Read the first message of a mechanism. False: malformed, or out of bounds. */
bool claimed_parse_plain(struct str message, struct claimed_identity *out) MUST_USE;
bool claimed_parse_scram(struct str message, struct claimed_identity *out) MUST_USE;
/* Reads the user name of LOGIN, or of a command. */
bool claimed_set_user(struct str name, struct claimed_identity *out) MUST_USE;
/* Adds the domain (empty: there is none) to the user and to the authorization identity where they
 * have no "@". False: nothing changed. */
bool claimed_complete(struct claimed_identity *c, struct str domain);
/* True: a login name that an account may have: 1 to 255 bytes of UTF-8, without control characters,
 * and without a blank at either end. */
bool claimed_is_valid_name(struct str name) MUST_USE;
/* True: 1 to 1024 bytes, without NUL, CR and LF. */
bool claimed_is_valid_password(struct str password) MUST_USE;

static inline struct str
claimed_name(const struct claimed_identity *c)
{
	return str_make(c->user, c->user_n);
}

/* The network as which a client is counted: its IPv4 address (4 bytes) or its IPv6 /64 (8 bytes);
 * the result points into out. Text that is not an address counts as one network. */
struct str claimed_network(struct str client, char out[CLAIMED_NETWORK_BYTES]);

#endif
