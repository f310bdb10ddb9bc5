/*
 * tls_trust: few routes have a CA file of their own; a list is searched.
 */
#include "relay/tls_trust.h"

#include <sys/queue.h>

#include "base/log.h"
#include "base/mem.h"

struct anchor {
	STAILQ_ENTRY(anchor) link;
	char *ca_file;
	bool must_verify;
	struct tls_client *client;
};

struct trust {
	STAILQ_HEAD(, anchor) anchors;
};

static bool
must_verify(const struct conf_route *r)
{
	return r->tls == ROUTE_TLS_VERIFY || r->tls == ROUTE_TLS_IMPLICIT ||
	       r->tls == ROUTE_TLS_STARTTLS;
}

static struct anchor *
find(const struct trust *t, struct str ca_file, bool must)
{
	struct anchor *a;

	STAILQ_FOREACH(a, &t->anchors, link)
	if (a->must_verify == must && str_eq(str_of(a->ca_file), ca_file))
		return a;
	return NULL;
}

static struct tls_client *
load(const struct role *role, struct str ca_file, bool must, const struct trust *before)
{
	struct anchor *old = before ? find(before, ca_file, must) : NULL;
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
add(struct trust *t, const struct role *role, const struct conf_route *r,
    const struct trust *before)
{
	bool must = must_verify(r);
	struct tls_client *client;
	struct anchor *a;

	if (find(t, r->ca_file, must))
		return;
	client = load(role, r->ca_file, must, before);
	if (!client)
		return;
	a = MEM_NEW(struct anchor);
	a->ca_file = mem_text(r->ca_file.p, r->ca_file.n);
	a->must_verify = must;
	a->client = client;
	STAILQ_INSERT_TAIL(&t->anchors, a, link);
}

struct trust *
trust_new(const struct role *role, const struct trust *before)
{
	static const struct conf_route built_in = {.tls = ROUTE_TLS_OPPORTUNISTIC};
	const struct conf *conf = role->conf;
	struct trust *t = MEM_NEW(struct trust);

	STAILQ_INIT(&t->anchors);
	add(t, role, &built_in, before);
	for (size_t i = 0; i < conf->routes.count; i++)
		if (conf->routes.item[i].tls != ROUTE_TLS_NONE)
			add(t, role, &conf->routes.item[i], before);
	return t;
}

void
trust_free(struct trust **t)
{
	struct anchor *a;

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
trust_for(const struct trust *t, const struct conf_route *route)
{
	struct anchor *a = find(t, route->ca_file, must_verify(route));

	return a ? a->client : NULL;
}
