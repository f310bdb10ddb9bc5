/*
 * resolver_choice: choices are compared by their content, so that a reload that changes nothing
 * keeps the resolver and its cache.
 */
#include "relay/resolver_choice.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/hosts.h"

enum { ROW_BYTES_MAX = 1024 };

enum resolver_choice_source {
	RESOLVER_CHOICE_ADDRESS,
	RESOLVER_CHOICE_SYSTEM,
	RESOLVER_CHOICE_ROOT
};

static enum resolver_choice_source
resolver_choice_source(const struct conf *c)
{
	if (str_eq(c->dns.resolver, STR("system")))
		return RESOLVER_CHOICE_SYSTEM;
	return str_eq(c->dns.resolver, STR("root")) ? RESOLVER_CHOICE_ROOT
	                                            : RESOLVER_CHOICE_ADDRESS;
}

static void
copy_resolver_text(struct buf *to, struct str text)
{
	buf_init(to, text.n);
	buf_adds(to, text);
}

void
resolver_choice_make(const struct role *role, struct resolver_choice *out)
{
	const struct conf *conf = role->conf;
	struct str anchor = STR_NULL;

	*out = (struct resolver_choice){.conf = conf_keep(role->conf)};
	if (conf->dns.dnssec != DNSSEC_OFF)
		anchor = role_file(role, conf->dns.trust_anchor);
	out->has_anchor = anchor.p != NULL;
	copy_resolver_text(&out->anchor, anchor);
	buf_init(&out->hosts, HOSTS_COUNTS_BYTES_MAX);
	hosts_filter(role_file(role, conf->dns.hosts_file), conf, &out->hosts);
	if (resolver_choice_source(conf) == RESOLVER_CHOICE_SYSTEM)
		resolv_conf_read(role_file(role, conf->dns.resolv_conf), &out->system);
}

void
resolver_choice_clear(struct resolver_choice *choice)
{
	conf_drop(&choice->conf);
	buf_clear(&choice->anchor);
	buf_clear(&choice->hosts);
}

static bool
insecure_zones_are_same(const struct conf_strs *a, const struct conf_strs *b)
{
	bool is_same = a->count == b->count;

	for (size_t i = 0; is_same && i < a->count; i++)
		is_same = str_eq(a->str[i], b->str[i]);
	return is_same;
}

static bool
resolv_confs_are_same(const struct resolv_conf *a, const struct resolv_conf *b)
{
	bool is_same = a->count == b->count;

	for (size_t i = 0; is_same && i < a->count; i++)
		is_same = strcmp(a->servers[i], b->servers[i]) == 0;
	return is_same;
}

/* Of the routes of the configuration only the host names that are in the hosts file matter. */
bool
resolver_choice_are_same(const struct resolver_choice *a, const struct resolver_choice *b)
{
	return str_eq(a->conf->dns.resolver, b->conf->dns.resolver) &&
	    a->conf->dns.dnssec == b->conf->dns.dnssec &&
	    insecure_zones_are_same(&a->conf->dns.insecure_zones, &b->conf->dns.insecure_zones) &&
	    a->has_anchor == b->has_anchor && str_eq(buf_str(&a->anchor), buf_str(&b->anchor)) &&
	    str_eq(buf_str(&a->hosts), buf_str(&b->hosts)) &&
	    resolv_confs_are_same(&a->system, &b->system);
}

static void
log_resolver_servers(const struct conf *c, const struct resolver *r)
{
	struct resolver_server s;
	struct buf text;

	buf_init(&text, ROW_BYTES_MAX);
	for (size_t n = 0; resolver_server(r, n, &s); n++)
		buf_addf(&text, "%s%s", n ? ", " : "", s.name);
	if (resolver_choice_source(c) == RESOLVER_CHOICE_SYSTEM)
		buf_addf(&text, " (from %.*s)", STR_ARG(c->dns.resolv_conf));
	log_info("dns: names are looked up by %.*s", STR_ARG(buf_str(&text)));
	buf_clear(&text);
}

struct resolver *
resolver_choice_new_resolver(const struct resolver_choice *choice, struct event_base *base)
{
	const struct conf *c = choice->conf;
	struct str servers[RESOLVER_SERVERS_MAX] = {c->dns.resolver};
	struct resolver_setup setup = {.base = base,
	    .servers = servers,
	    .server_count = resolver_choice_source(c) == RESOLVER_CHOICE_ADDRESS,
	    .dnssec = (enum conf_dnssec)c->dns.dnssec,
	    .insecure_zones = &c->dns.insecure_zones,
	    .hosts = hosts_new(buf_str(&choice->hosts), c)};
	struct resolver *r;

	if (choice->has_anchor)
		setup.anchor = choice->anchor.n ? buf_str(&choice->anchor) : STR("");
	for (size_t i = 0; i < choice->system.count; i++)
		servers[setup.server_count++] = str_of(choice->system.servers[i]);
	r = resolver_new(&setup);
	if (r)
		log_resolver_servers(c, r);
	return r;
}

static struct str
resolver_source_name(const struct conf *c)
{
	switch (resolver_choice_source(c)) {
	case RESOLVER_CHOICE_SYSTEM:
		return c->dns.resolv_conf;
	case RESOLVER_CHOICE_ROOT:
		return STR("root servers");
	default:
		return STR("dns.resolver");
	}
}

static void
add_resolver_answers(struct buf *values, const struct resolver_server *s)
{
	char since[CLOCK_TEXT_BYTES], text[CLOCK_TEXT_BYTES + 16];

	if (s->silent_since_ms) {
		snprintf(text, sizeof text, "no since %s", clock_iso(s->silent_since_ms, since));
		message_values_add(values, "answers", str_of(text));
	} else {
		message_values_add(
		    values, "answers", s->is_asked ? STR("yes") : STR("not asked yet"));
	}
}

void
resolver_choice_send_status(
    struct channel *control, uint64_t call, const struct conf *conf, const struct resolver *r)
{
	struct message_admin_done done = {0};
	struct resolver_server s;

	for (size_t n = 0; resolver_server(r, n, &s); n++) {
		struct message_admin_row row;
		struct buf values;

		buf_init(&values, ROW_BYTES_MAX);
		message_values_add(&values, "row", STR("resolver"));
		message_values_add(&values, "resolver", str_of(s.name));
		message_values_add(&values, "from", resolver_source_name(conf));
		message_values_add(&values, "dnssec", str_of(s.dnssec));
		add_resolver_answers(&values, &s);
		row.values = buf_str(&values);
		(void)!channel_answer(control, call, MESSAGE_ADMIN_ROW, &row, -1);
		buf_clear(&values);
	}
	(void)!channel_answer(control, call, MESSAGE_ADMIN_DONE, &done, -1);
}
