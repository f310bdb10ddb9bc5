/*
 * names: see the header.
 */
#include "relay/names.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/hosts.h"
#include "net/resolv_conf.h"

enum { ROW_BYTES_MAX = 1024 };

enum names_from { NAMES_ADDRESS, NAMES_SYSTEM, NAMES_ROOT };

static enum names_from
names_from(const struct conf *c)
{
	if (str_eq(c->dns.resolver, STR("system")))
		return NAMES_SYSTEM;
	return str_eq(c->dns.resolver, STR("root")) ? NAMES_ROOT : NAMES_ADDRESS;
}

static void
add_field(struct buf *out, struct str text)
{
	buf_addf(out, "%zu:", text.n);
	buf_adds(out, text);
}

/* Of the hosts file only the names of routes count, and those are of the configuration. */
void
names_source(const struct role *role, struct buf *out)
{
	const struct conf *c = role->conf;

	buf_reset(out);
	add_field(out, c->dns.resolver);
	buf_addf(out, "%d", (int)c->dns.dnssec);
	for (size_t i = 0; i < c->dns.insecure_zones.count; i++)
		add_field(out, c->dns.insecure_zones.str[i]);
	for (size_t i = 0; i < c->routes.count; i++)
		add_field(out, c->routes.item[i].host);
	add_field(out, role_file(role, c->dns.trust_anchor));
	add_field(out, role_file(role, c->dns.resolv_conf));
	add_field(out, role_file(role, c->dns.hosts_file));
}

static void
tell(const struct conf *c, const struct resolver *r)
{
	struct resolver_server s;
	struct buf text;

	buf_init(&text, ROW_BYTES_MAX);
	for (size_t n = 0; resolver_server(r, n, &s); n++)
		buf_addf(&text, "%s%s", n ? ", " : "", s.name);
	if (names_from(c) == NAMES_SYSTEM)
		buf_addf(&text, " (from %.*s)", STR_ARG(c->dns.resolv_conf));
	log_info("dns: names are looked up by %.*s", STR_ARG(buf_str(&text)));
	buf_clear(&text);
}

struct resolver *
names_resolver(const struct role *role)
{
	const struct conf *c = role->conf;
	struct str servers[RESOLVER_SERVERS_MAX] = {c->dns.resolver};
	struct resolver_setup setup = {.base = role->base,
	    .servers = servers,
	    .server_count = names_from(c) == NAMES_ADDRESS,
	    .dnssec = (enum conf_dnssec)c->dns.dnssec,
	    .anchor = role_file(role, c->dns.trust_anchor),
	    .insecure_zones = &c->dns.insecure_zones,
	    .hosts = hosts_new(role_file(role, c->dns.hosts_file), c)};
	struct resolv_conf system;
	struct resolver *r;

	resolv_conf_read(role_file(role, c->dns.resolv_conf), &system);
	for (size_t i = 0; i < system.count && names_from(c) == NAMES_SYSTEM; i++)
		servers[setup.server_count++] = str_of(system.servers[i]);
	r = resolver_new(&setup);
	if (r)
		tell(c, r);
	return r;
}

static struct str
source_name(const struct conf *c)
{
	switch (names_from(c)) {
	case NAMES_SYSTEM:
		return c->dns.resolv_conf;
	case NAMES_ROOT:
		return STR("root servers");
	default:
		return STR("dns.resolver");
	}
}

static void
add_answers(struct buf *values, const struct resolver_server *s)
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
names_status(
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
		message_values_add(&values, "from", source_name(conf));
		message_values_add(&values, "dnssec", str_of(s.dnssec));
		add_answers(&values, &s);
		row.values = buf_str(&values);
		(void)!channel_answer(control, call, MESSAGE_ADMIN_ROW, &row, -1);
		buf_clear(&values);
	}
	(void)!channel_answer(control, call, MESSAGE_ADMIN_DONE, &done, -1);
}
