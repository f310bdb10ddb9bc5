/*
 * sink_session: the receiving side of SMTP or LMTP for tests: accepts everything, or fails by
 * rules.
 */
#ifndef SUPPORT_SINK_SESSION_H
#define SUPPORT_SINK_SESSION_H

#include <gnutls/gnutls.h>
#include <pthread.h>

#include "base/map.h"

enum { SINK_RULES_MAX = 20 };

/* Commands of this phase that contain `match` get `reply`. */
struct sink_rule {
	const char *phase; /* greeting ehlo starttls auth mail rcpt data final */
	const char *match; /* empty: all */
	const char *reply; /* "550 5.1.1 no such user"; "drop": the connection ends */
	int left;          /* how many times it still applies; -1: always */
};

struct sink {
	const char *name;
	const char *directory; /* NULL: nothing is stored */
	const char *account;   /* "user:password": AUTH PLAIN and LOGIN are offered */
	unsigned without;      /* 1 << index of an extension, see sink_extensions */
	bool lmtp, implicit_tls, greylist;
	long delay_ms;
	size_t rule_count;
	struct sink_rule rules[SINK_RULES_MAX];
	gnutls_certificate_credentials_t tls; /* NULL: no TLS */
	pthread_mutex_t lock;                 /* protects everything below, and rules[].left */
	struct map *seen;                     /* greylist: sender and recipient pairs */
	unsigned long connections, messages, recipients;
};

extern const char *const sink_extensions[]; /* NULL-terminated */

/* Serves one connection until it ends. */
void sink_serve(struct sink *s, int fd);

#endif
