/*
 * check: errors for what cannot work or is unsafe, warnings for what is probably a mistake.
 */
#include "conf/check.h"

#include <stdio.h>

#include "conf/list_index.h"
#include "conf/login_name.h"
#include "conf/network.h"

struct conf_check {
	const struct conf *conf;
	const struct conf_parse_tree *tree;
	struct diagnostics *diagnostics;
};

static int
item_line(const struct conf_check *k, const char *list, size_t i, const char *name)
{
	char path[100];

	snprintf(path, sizeof path, "%s.[%zu].%s", list, i, name);
	return conf_parse_line(k->tree, path);
}

static void
check_top(const struct conf_check *k)
{
	const struct conf *c = k->conf;

	if (c->hostname.n && !str_has(c->hostname, '.'))
		diagnostics_add(k->diagnostics, conf_parse_line(k->tree, "hostname"),
		    DIAGNOSTIC_WARNING,
		    "hostname: \"%.*s\" has no domain; many servers refuse such a name",
		    STR_ARG(c->hostname));
	if (c->domains.count == 0 && conf_parse_line(k->tree, "domains"))
		diagnostics_add(k->diagnostics, conf_parse_line(k->tree, "domains"),
		    DIAGNOSTIC_ERROR,
		    "domains: at least one is needed, for example ( { name = \"example.com\"; } )");
	if (c->listen.count && !c->tls.count)
		diagnostics_add(k->diagnostics, conf_parse_line(k->tree, "listen"),
		    DIAGNOSTIC_ERROR,
		    "\"tls\" is missing: clients log in only inside TLS, for example "
		    "tls: { certificate = \"/etc/sallyport/tls/mail.crt\"; "
		    "private_key = \"/etc/sallyport/tls/mail.key\"; };");
}

static void
check_logins(const struct conf_check *k)
{
	struct str domain = k->conf->auth.default_domain;

	/* the part of a configuration that a role has may be without the list */
	if (domain.n && k->conf->domains.count &&
	    list_index_find(&k->conf->domains_by_name, domain) == LIST_INDEX_NONE)
		diagnostics_add(k->diagnostics, conf_parse_line(k->tree, "auth.default_domain"),
		    DIAGNOSTIC_ERROR, "auth.default_domain: \"%.*s\" is none of \"domains\"",
		    STR_ARG(domain));
}

/* Names are compared without regard to case; of equal names the first one is used. */
static void
check_domains(const struct conf_check *k)
{
	const struct conf *c = k->conf;

	for (size_t i = 0; i < c->domains.count; i++)
		if (list_index_find(&c->domains_by_name, c->domains.item[i].name) != (int64_t)i)
			diagnostics_add(k->diagnostics, item_line(k, "domains", i, "name"),
			    DIAGNOSTIC_WARNING, "domains: \"%.*s\" stands here a second time",
			    STR_ARG(c->domains.item[i].name));
}

/* One address can be written in several forms. */
static bool
is_same_listener(const struct conf_listen *a, const struct conf_listen *b)
{
	struct network of_a, of_b;

	if (a->port != b->port)
		return false;
	if (network_parse(a->address, &of_a) && network_parse(b->address, &of_b))
		return network_same(&of_a, &of_b);
	return str_eq(a->address, b->address);
}

static void
check_doubles(const struct conf_check *k)
{
	const struct conf *c = k->conf;

	for (size_t i = 1; i < c->listen.count; i++)
		for (size_t j = 0; j < i; j++)
			if (c->listen.item[i].port &&
			    is_same_listener(&c->listen.item[i], &c->listen.item[j]))
				diagnostics_add(k->diagnostics, item_line(k, "listen", i, "port"),
				    DIAGNOSTIC_ERROR,
				    "listen: port %lld is already listened on at the same address",
				    (long long)c->listen.item[i].port);
	for (size_t i = 0; i < c->listen.count; i++)
		if (c->listen.item[i].port == 465 && c->listen.item[i].tls == LISTEN_STARTTLS)
			diagnostics_add(k->diagnostics, item_line(k, "listen", i, "tls"),
			    DIAGNOSTIC_WARNING,
			    "listen: mail programs expect implicit TLS on port 465 (RFC 8314)");
}

static bool
protects_password(int64_t tls)
{
	return tls == ROUTE_TLS_VERIFY || tls == ROUTE_TLS_IMPLICIT || tls == ROUTE_TLS_STARTTLS;
}

static void
check_login(const struct conf_check *k, size_t i)
{
	const struct conf_route *r = &k->conf->routes.item[i];

	if (r->username.n && !r->password.n)
		diagnostics_add(k->diagnostics, item_line(k, "routes", i, "username"),
		    DIAGNOSTIC_ERROR,
		    "routes: a username needs a password, for example "
		    "password = \"file:/etc/sallyport/secrets/smarthost\";");
	if (r->password.n && !r->username.n)
		diagnostics_add(k->diagnostics, item_line(k, "routes", i, "password"),
		    DIAGNOSTIC_ERROR, "routes: a password needs a username");
	if (r->username.n && !protects_password(r->tls))
		diagnostics_add(k->diagnostics, item_line(k, "routes", i, "tls"), DIAGNOSTIC_ERROR,
		    "routes: a password is sent only to a host whose certificate is verified: "
		    "tls = \"implicit\", \"starttls\" or \"verify\";");
	if (r->username.n > CONF_USERNAME_MAX)
		diagnostics_add(k->diagnostics, item_line(k, "routes", i, "username"),
		    DIAGNOSTIC_ERROR, "routes: the username has more than %d octets",
		    CONF_USERNAME_MAX);
	if (r->username.n && r->via == VIA_MX)
		diagnostics_add(k->diagnostics, item_line(k, "routes", i, "username"),
		    DIAGNOSTIC_ERROR,
		    "routes: hosts found by MX take no login; did you mean via = \"smarthost\"?");
}

static void
check_route(const struct conf_check *k, size_t i)
{
	const struct conf_route *r = &k->conf->routes.item[i];

	if (r->via != VIA_MX && !r->host.n)
		diagnostics_add(k->diagnostics, item_line(k, "routes", i, "via"), DIAGNOSTIC_ERROR,
		    "routes: this way needs a host, for example host = \"smtp.example.net\";");
	if (r->via == VIA_MX && r->host.n)
		diagnostics_add(k->diagnostics, item_line(k, "routes", i, "host"), DIAGNOSTIC_ERROR,
		    "routes: via \"mx\" finds the hosts by DNS; did you mean via = \"smtp\" or "
		    "\"smarthost\"?");
	if (r->via == VIA_MX && r->tls == ROUTE_TLS_IMPLICIT)
		diagnostics_add(k->diagnostics, item_line(k, "routes", i, "tls"), DIAGNOSTIC_ERROR,
		    "routes: hosts found by MX do not speak TLS from the first byte");
	if (r->ca_file.n && !protects_password(r->tls))
		diagnostics_add(k->diagnostics, item_line(k, "routes", i, "ca_file"),
		    DIAGNOSTIC_WARNING,
		    "routes: ca_file has no effect unless tls is \"verify\", \"implicit\" or "
		    "\"starttls\"");
	check_login(k, i);
}

/* The first route before this one that matches everything that this one matches; this index: there
 * is none.  A pattern, and each pattern above it, is found by the text after its asterisk. */
static size_t
route_before(const struct conf *c, size_t i)
{
	struct str pattern = c->routes.item[i].to_domain;
	struct str name = str_from(pattern, str_starts(pattern, STR("*.")));
	int64_t first = list_index_find(&c->routes_by_domain, name), above;

	for (size_t at = 1; at < name.n; at++) {
		if (name.p[at] != '.')
			continue;
		above = list_index_find(&c->routes_by_domain, str_from(name, at));
		if (above != LIST_INDEX_NONE && above < first)
			first = above;
	}
	return first == LIST_INDEX_NONE ? i : (size_t)first;
}

static void
check_reach(const struct conf_check *k, size_t i)
{
	const struct conf_route *r = &k->conf->routes.item[i];
	size_t before;

	if (!r->to_domain.n)
		return;
	before = route_before(k->conf, i);
	if (before < i)
		diagnostics_add(k->diagnostics, item_line(k, "routes", i, "to_domain"),
		    DIAGNOSTIC_WARNING,
		    "routes: \"%.*s\" is never reached, because route %zu, for \"%.*s\", takes "
		    "its mail before",
		    STR_ARG(r->to_domain), before + 1,
		    STR_ARG(k->conf->routes.item[before].to_domain));
}

/* Routes after a route for every domain are never used. */
static void
check_routes(const struct conf_check *k)
{
	size_t count = k->conf->routes.count;

	for (size_t i = 0; i < count; i++) {
		bool is_last = i + 1 == count, is_for_all = !k->conf->routes.item[i].to_domain.n;

		check_route(k, i);
		check_reach(k, i);
		if (is_for_all && !is_last) {
			diagnostics_add(k->diagnostics, item_line(k, "routes", i + 1, "to_domain"),
			    DIAGNOSTIC_ERROR,
			    "routes: never reached, because the route before it is for every "
			    "domain");
			return;
		}
		if (is_last && !is_for_all)
			diagnostics_add(k->diagnostics, item_line(k, "routes", i, "to_domain"),
			    DIAGNOSTIC_WARNING,
			    "routes: the last one has a condition; mail that it does not match "
			    "goes by MX");
	}
}

static int64_t
longest_pause_ms(const struct conf *c)
{
	int64_t longest_ms = 0;

	for (size_t i = 0; i < c->queue.retry_count; i++)
		if (c->queue.retry_ms[i] > longest_ms)
			longest_ms = c->queue.retry_ms[i];
	return longest_ms;
}

static void
check_queue(const struct conf_check *k)
{
	const struct conf *c = k->conf;

	if (c->queue.retry_count && c->queue.lifetime_ms <= c->queue.retry_ms[0])
		diagnostics_add(k->diagnostics, conf_parse_line(k->tree, "queue.lifetime"),
		    DIAGNOSTIC_ERROR,
		    "queue.lifetime must be longer than the first pause of queue.retry");
	else if (c->queue.lifetime_ms < longest_pause_ms(c))
		diagnostics_add(k->diagnostics, conf_parse_line(k->tree, "queue.lifetime"),
		    DIAGNOSTIC_WARNING,
		    "queue.lifetime is shorter than the longest pause of queue.retry: the end of "
		    "the lifetime ends that pause, with the last attempt");
	if (c->queue.delay_warning_ms > c->queue.lifetime_ms)
		diagnostics_add(k->diagnostics, conf_parse_line(k->tree, "queue.delay_warning"),
		    DIAGNOSTIC_WARNING,
		    "queue.delay_warning is longer than queue.lifetime: no warning will be sent");
	for (size_t i = 1; i < c->queue.retry_count; i++)
		if (c->queue.retry_ms[i] < c->queue.retry_ms[i - 1]) {
			diagnostics_add(k->diagnostics, conf_parse_line(k->tree, "queue.retry"),
			    DIAGNOSTIC_WARNING, "queue.retry: the pauses do not grow");
			return;
		}
}

/* With two limits for one login it is unclear which one is meant. */
static void
check_limit(const struct conf_check *k, size_t i, size_t first)
{
	const struct conf_user_limit *limits = k->conf->limits.users.item;
	struct str user = limits[i].user, other = limits[first].user;
	int line = item_line(k, "limits.users", i, "user");

	if (str_ieq(user, other))
		diagnostics_add(k->diagnostics, line, DIAGNOSTIC_WARNING,
		    "limits.users: \"%.*s\" stands here a second time; the first one holds",
		    STR_ARG(user));
	else
		diagnostics_add(k->diagnostics, line, DIAGNOSTIC_ERROR,
		    "limits.users: \"%.*s\" and \"%.*s\" may be one login: name it once",
		    STR_ARG(user), STR_ARG(other));
}

/* Checks the grants and limits of logins that cannot exist or that send nothing. */
static void
check_login_name(const struct conf_check *k, const char *list, size_t i, struct str user)
{
	struct str domain = login_name_domain(k->conf);
	char room[LOGIN_NAME_BYTES];
	struct str whole = login_name_complete(user, domain, room);

	if (login_name_is_covered(k->conf, whole))
		return;
	if (!str_has(user, '@') && !domain.n)
		diagnostics_add(k->diagnostics, item_line(k, list, i, "user"), DIAGNOSTIC_WARNING,
		    "%s: \"%.*s\" has no domain, and with several domains and without "
		    "auth.default_domain it means an account of exactly this name alone",
		    list, STR_ARG(user));
	else
		diagnostics_add(k->diagnostics, item_line(k, list, i, "user"), DIAGNOSTIC_WARNING,
		    "%s: \"%.*s\": the domain of this login is none of \"domains\"", list,
		    STR_ARG(user));
}

static void
check_policy(const struct conf_check *k)
{
	const struct conf *c = k->conf;

	for (size_t i = 0; i < c->sender_policy.send_as.count; i++)
		check_login_name(
		    k, "sender_policy.send_as", i, c->sender_policy.send_as.item[i].user);
	for (size_t i = 0; i < c->limits.users.count; i++)
		check_login_name(k, "limits.users", i, c->limits.users.item[i].user);
	for (size_t i = 0; i < c->limits.users.count; i++) {
		char room[LOGIN_NAME_BYTES];
		struct str other = login_name_other(c, c->limits.users.item[i].user, room);
		int64_t first = list_index_find(&c->limits_by_user, other);

		if (first != LIST_INDEX_NONE && first != (int64_t)i)
			check_limit(k, i, (size_t)first);
	}
}

void
conf_warn_ambiguous_logins(
    const struct conf *c, const struct conf_parse_tree *tree, struct diagnostics *diagnostics)
{
	if (login_name_is_ambiguous(c))
		diagnostics_add(diagnostics, conf_parse_line(tree, "domains"), DIAGNOSTIC_WARNING,
		    LOGIN_NAME_AMBIGUOUS);
}

void
conf_check(
    const struct conf *c, const struct conf_parse_tree *tree, struct diagnostics *diagnostics)
{
	struct conf_check k = {c, tree, diagnostics};

	check_top(&k);
	check_domains(&k);
	check_logins(&k);
	check_doubles(&k);
	check_routes(&k);
	check_queue(&k);
	check_policy(&k);
}
