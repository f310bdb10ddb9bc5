/*
 * client: Cyrus' client library as a test's other end: says its messages, decodes nothing itself.
 */
#ifndef TESTS_UNIT_AUTH_CLIENT_H
#define TESTS_UNIT_AUTH_CLIENT_H

#include "base/str.h"

struct client;

struct client_options {
	const char *user, *password;
	const char *authzid;            /* authorization identity, or NULL */
	const char *binding, *type; /* or NULL */
};

/* Speaks SCRAM-SHA-256, or -PLUS when it has a binding.  sasl_client_init was called before. */
struct client *client_new(const struct client_options *options);
void client_free(struct client **c);
struct str client_first(struct client *c);
/* False: the client ends the talk. */
bool client_next(struct client *c, struct str challenge, struct str *out) MUST_USE;

#endif
