/*
 * client: a SASL client for tests. It is Cyrus SASL's client library and adds no parsing of its
 * own.
 */
#ifndef TESTS_UNIT_AUTH_CLIENT_H
#define TESTS_UNIT_AUTH_CLIENT_H

#include "base/str.h"

struct client;

struct client_options {
	const char *user, *password;
	const char *authzid;        /* authorization identity, or NULL */
	const char *binding, *type; /* or NULL */
};

/* Uses SCRAM-SHA-256, or -PLUS if it has a binding. sasl_client_init must be called before. */
struct client *client_new(const struct client_options *options);
void client_free(struct client **c);
struct str client_first(struct client *c);
/* False: the client ends the exchange. */
bool client_next(struct client *c, struct str challenge, struct str *out) MUST_USE;

#endif
