/*
 * tls_trust: a list that is searched from its start, because few routes have a CA file of their
 * own.  Credentials are counted, so that a reload can use them again.
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
tls_must_verify(int64_t tls)
{
	return tls == ROUTE_TLS_VERIFY || tls == ROUTE_TLS_IMPLICIT || tls == ROUTE_TLS_STARTTLS;
}

static struct tls_trust_anchor *
find_trust_anchor(const struct tls_trust *trust, struct str ca_file, bool must_verify)
{
	struct tls_trust_anchor *anchor;

	STAILQ_FOREACH(anchor, &trust->anchors, link)
	if (anchor->must_verify == must_verify && str_eq(str_of(anchor->ca_file), ca_file))
		return anchor;
	return NULL;
}

static struct tls_client *
load_trust_anchor(
    const struct role *role, struct str ca_file, bool must_verify, const struct tls_trust *before)
{
	struct tls_trust_anchor *old =
	    before ? find_trust_anchor(before, ca_file, must_verify) : NULL;
	struct str pem = ca_file.n ? role_file(role, ca_file) : STR_NULL;
	struct tls_client *client;
	char why[200];

	if (old && pem.n == 0)
		return tls_client_keep(old->client);
	client = tls_client_new(ca_file, pem, must_verify, why);
	if (!client)
		log_error("relay: certificates of %s", why);
	return client;
}

static void
add_trust_anchor(struct tls_trust *trust, const struct role *role, const struct conf_route *r,
    const struct tls_trust *before)
{
	bool must_verify = tls_must_verify(r->tls);
	struct tls_client *client;
	struct tls_trust_anchor *anchor;

	if (find_trust_anchor(trust, r->ca_file, must_verify))
		return;
	client = load_trust_anchor(role, r->ca_file, must_verify, before);
	if (!client)
		return;
	anchor = MEM_NEW(struct tls_trust_anchor);
	anchor->ca_file = mem_text(r->ca_file.p, r->ca_file.n);
	anchor->must_verify = must_verify;
	anchor->client = client;
	STAILQ_INSERT_TAIL(&trust->anchors, anchor, link);
}

struct tls_trust *
tls_trust_new(const struct role *role, const struct tls_trust *before)
{
	static const struct conf_route built_in = {.tls = ROUTE_TLS_OPPORTUNISTIC};
	const struct conf *conf = role->conf;
	struct tls_trust *trust = MEM_NEW(struct tls_trust);

	STAILQ_INIT(&trust->anchors);
	add_trust_anchor(trust, role, &built_in, before);
	for (size_t i = 0; i < conf->routes.count; i++)
		if (conf->routes.item[i].tls != ROUTE_TLS_NONE)
			add_trust_anchor(trust, role, &conf->routes.item[i], before);
	return trust;
}

void
tls_trust_free(struct tls_trust **trust)
{
	struct tls_trust_anchor *anchor;

	if (!*trust)
		return;
	while ((anchor = STAILQ_FIRST(&(*trust)->anchors))) {
		STAILQ_REMOVE_HEAD(&(*trust)->anchors, link);
		tls_client_drop(&anchor->client);
		mem_free(anchor->ca_file);
		mem_free(anchor);
	}
	mem_free(*trust);
	*trust = NULL;
}

struct tls_client *
tls_trust_for(const struct tls_trust *trust, const struct destination *to)
{
	struct tls_trust_anchor *anchor =
	    find_trust_anchor(trust, to->ca_file, tls_must_verify(to->tls));

	return anchor ? anchor->client : NULL;
}
