/*
 * claimed_identity: who a client says it is, read from its first SASL message before anyone checked
 * it: PLAIN (RFC 4616) and SCRAM's client-first-message (RFC 5802 section 7).  The broker needs the
 * name to find the account; the worker accepts no other name than the one found here.
 */
#ifndef AUTH_CLAIMED_IDENTITY_H
#define AUTH_CLAIMED_IDENTITY_H

#include "auth/scram_secret.h"

enum { CLAIMED_USER_MAX = 255, CLAIMED_MESSAGE_MAX = 2048, CLAIMED_NETWORK_BYTES = 8 };

enum claimed_binding {
	CLAIMED_BINDING_NONE,       /* "n": the client can none */
	CLAIMED_BINDING_NOT_SEEN,   /* "y": it can, and believes that we cannot */
	CLAIMED_BINDING_EXPORTER,   /* "p=tls-exporter" */
	CLAIMED_BINDING_OTHER,      /* "p=" and another type */
};

struct claimed_identity {
	char user[CLAIMED_USER_MAX + 1]; /* canonical: ASCII letters in lower case */
	size_t user_n;
	char authzid[CLAIMED_USER_MAX + 1]; /* the authorization identity, canonical too */
	size_t authzid_n;
	struct str password;           /* PLAIN; a view of the message */
	bool has_other_authzid;             /* an authorization identity that is not the user */
	enum claimed_binding binding;    /* SCRAM */
};

/* False: malformed, or outside of the bounds. */
bool claimed_parse_plain(struct str message, struct claimed_identity *out) MUST_USE;
bool claimed_parse_scram(struct str message, struct claimed_identity *out) MUST_USE;
/* LOGIN's first answer. */
bool claimed_set_user(struct str name, struct claimed_identity *out) MUST_USE;
/* Names without "@" get the domain (empty: there is none for them), both the user and the
 * authorization identity.  False: nothing changed. */
bool claimed_complete(struct claimed_identity *c, struct str domain);
/* A login name as accounts bear it: 1 to 255 bytes of UTF-8 without controls or blanks at an
 * end. */
bool claimed_is_valid_name(struct str name) MUST_USE;
/* 1 to 1024 bytes, no NUL, CR or LF. */
bool claimed_is_valid_password(struct str password) MUST_USE;

static inline struct str
claimed_name(const struct claimed_identity *c)
{
	return str_make(c->user, c->user_n);
}

/* Where a client counts: its IPv4 address (4 bytes) or IPv6 /64 (8 bytes); a view of out. Text
 * that is no address (there is none) counts as one network. */
struct str claimed_network(struct str client, char out[CLAIMED_NETWORK_BYTES]);

#endif
