/*
 * resolv_conf: main replaces the names of interfaces by numbers, and relay reads the result; both
 * find the address of a line with the same function. Other lines stay as they are. A line without
 * effect is logged and skipped; when none is left, 127.0.0.1 is asked. The interfaces are noted,
 * because their numbers may change.
 */
#include "net/resolv_conf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"

enum { DNS_PORT = 53 };

static bool
is_nameserver_address(const char *z)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, z, bytes) == 1 || inet_pton(AF_INET6, z, bytes) == 1;
}

/* The number of an interface; 0: the text is none. */
static unsigned
interface_index(struct str number)
{
	uint64_t index;

	return str_u64(number, &index) && index <= INT_MAX ? (unsigned)index : 0;
}

/* A link-local address (fe80::1%eth0) needs its interface, which libunbound expects as a number. */
static void
add_nameserver(struct resolv_conf *c, struct str address)
{
	size_t at = str_find(address, '%');
	char *host = mem_text(address.p, at);
	unsigned index = interface_index(str_from(address, at + 1));
	struct str shown = str_upto(address, RESOLV_CONF_SERVER_BYTES);
	char *out = c->servers[c->count];

	if (!is_nameserver_address(host)) {
		log_warn("dns: \"nameserver %.*s\" in dns.resolv_conf has no effect: this is no "
			 "numeric address",
		    STR_ARG(shown));
	} else if (at < address.n && !strchr(host, ':')) {
		log_warn("dns: \"nameserver %.*s\" in dns.resolv_conf has no effect: only an "
			 "IPv6 address may name an interface",
		    STR_ARG(shown));
	} else if (at < address.n && index == 0) {
		log_warn("dns: \"nameserver %.*s\" in dns.resolv_conf has no effect: this host "
			 "has no such interface now",
		    STR_ARG(shown));
	} else {
		snprintf(out, RESOLV_CONF_SERVER_BYTES, "%s@%d", host, DNS_PORT);
		if (index)
			snprintf(
			    out, RESOLV_CONF_SERVER_BYTES, "%s%%%u@%d", host, index, DNS_PORT);
		c->count++;
	}
	mem_free(host);
}

/* A keyword must be at the beginning of its line.  Empty: not a nameserver line. */
static struct str
address_of(struct str line)
{
	struct str keyword = STR("nameserver"), rest = str_from(line, keyword.n);
	size_t end = 0;

	if (!str_starts(line, keyword) || rest.n == 0 || (rest.p[0] != ' ' && rest.p[0] != '\t'))
		return STR_NULL;
	rest = str_trim(rest);
	while (end < rest.n && !strchr(" \t\r;#", rest.p[end]))
		end++;
	return str_upto(rest, end);
}

void
resolv_conf_read(struct str text, struct resolv_conf *out)
{
	struct str line, address;

	*out = (struct resolv_conf){0};
	while (out->count < RESOLVER_SERVERS_MAX && str_split(&text, '\n', &line)) {
		address = address_of(line);
		if (address.n)
			add_nameserver(out, address);
	}
	if (out->count == 0)
		add_nameserver(out, STR("127.0.0.1"));
}

bool
resolv_conf_link_index(const char *name, unsigned *out)
{
	errno = 0;
	*out = if_nametoindex(name);
	return *out || errno == ENODEV || errno == ENXIO;
}

static void
note_link(struct resolv_conf_links *links, const struct resolv_conf_link *link)
{
	for (size_t l = 0; l < links->count; l++)
		if (strcmp(links->link[l].name, link->name) == 0)
			return;
	if (links->count < RESOLV_CONF_LINKS_MAX)
		links->link[links->count++] = *link;
}

/* The index of the interface in the address; 0: it has none, or this host has no such interface.
 * False with errno. */
static bool
index_by_name(struct str address, struct resolv_conf_links *links, unsigned *out)
{
	struct str name = str_from(address, str_find(address, '%') + 1);
	struct resolv_conf_link link;

	*out = 0;
	if (name.n == 0 || name.n >= sizeof link.name)
		return true;
	snprintf(link.name, sizeof link.name, "%.*s", STR_ARG(name));
	if (!resolv_conf_link_index(link.name, &link.index))
		return false;
	note_link(links, &link);
	*out = link.index;
	return true;
}

bool
resolv_conf_number_links(struct str text, struct buf *out, struct resolv_conf_links *links)
{
	const char *end = text.p + text.n;
	struct str line, address;
	unsigned index = 0;

	*links = (struct resolv_conf_links){0};
	while (str_split(&text, '\n', &line)) {
		address = address_of(line);
		if (!index_by_name(address, links, &index))
			return false;
		if (index)
			buf_addf(out, "nameserver %.*s%%%u",
			    STR_ARG(str_upto(address, str_find(address, '%'))), index);
		else
			buf_adds(out, line);
		if (line.p + line.n < end)
			buf_addc(out, '\n');
	}
	return true;
}
