/*
 * tls_trust: few routes have a CA file of their own; a list is searched.
 */
#include "relay/tls_trust.h"

#include <sys/queue.h>

#include "base/log.h"
#include "base/mem.h"

struct tls_trust_anchor {
	STAILQ_ENTRY(tls_trust_anchor) link;
	char *ca_file;
	bool must_verify;
	struct tls_client *client;
};

struct tls_trust {
	STAILQ_HEAD(, tls_trust_anchor) anchors;
};

static bool
route_must_verify(const struct conf_route *r)
{
	return r->tls == ROUTE_TLS_VERIFY || r->tls == ROUTE_TLS_IMPLICIT ||
	       r->tls == ROUTE_TLS_STARTTLS;
}

static struct tls_trust_anchor *
find_trust_anchor(const struct tls_trust *t, struct str ca_file, bool must)
{
	struct tls_trust_anchor *a;

	STAILQ_FOREACH(a, &t->anchors, link)
	if (a->must_verify == must && str_eq(str_of(a->ca_file), ca_file))
		return a;
	return NULL;
}

static struct tls_client *
load_trust_anchor(
    const struct role *role, struct str ca_file, bool must, const struct tls_trust *before)
{
	struct tls_trust_anchor *old = before ? find_trust_anchor(before, ca_file, must) : NULL;
	struct str pem = ca_file.n ? role_file(role, ca_file) : STR_NULL;
	struct tls_client *client;
	char why[200];

	if (old && pem.n == 0)
		return tls_client_keep(old->client);
	client = tls_client_new(ca_file, pem, must, why);
	if (!client)
		log_error("relay: certificates of %s", why);
	return client;
}

static void
add_trust_anchor(struct tls_trust *t, const struct role *role, const struct conf_route *r,
    const struct tls_trust *before)
{
	bool must = route_must_verify(r);
	struct tls_client *client;
	struct tls_trust_anchor *a;

	if (find_trust_anchor(t, r->ca_file, must))
		return;
	client = load_trust_anchor(role, r->ca_file, must, before);
	if (!client)
		return;
	a = MEM_NEW(struct tls_trust_anchor);
	a->ca_file = mem_text(r->ca_file.p, r->ca_file.n);
	a->must_verify = must;
	a->client = client;
	STAILQ_INSERT_TAIL(&t->anchors, a, link);
}

struct tls_trust *
tls_trust_new(const struct role *role, const struct tls_trust *before)
{
	static const struct conf_route built_in = {.tls = ROUTE_TLS_OPPORTUNISTIC};
	const struct conf *conf = role->conf;
	struct tls_trust *t = MEM_NEW(struct tls_trust);

	STAILQ_INIT(&t->anchors);
	add_trust_anchor(t, role, &built_in, before);
	for (size_t i = 0; i < conf->routes.count; i++)
		if (conf->routes.item[i].tls != ROUTE_TLS_NONE)
			add_trust_anchor(t, role, &conf->routes.item[i], before);
	return t;
}

void
tls_trust_free(struct tls_trust **t)
{
	struct tls_trust_anchor *a;

	if (!*t)
		return;
	while ((a = STAILQ_FIRST(&(*t)->anchors))) {
		STAILQ_REMOVE_HEAD(&(*t)->anchors, link);
		tls_client_drop(&a->client);
		mem_free(a->ca_file);
		mem_free(a);
	}
	mem_free(*t);
	*t = NULL;
}

struct tls_client *
tls_trust_for(const struct tls_trust *t, const struct conf_route *route)
{
	struct tls_trust_anchor *a = find_trust_anchor(t, route->ca_file, route_must_verify(route));

	return a ? a->client : NULL;
}
