/*
 * resolv_conf: see the header.
 */
#include "net/resolv_conf.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"

enum { DNS_PORT = 53 };

static bool
is_address(const char *z)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, z, bytes) == 1 || inet_pton(AF_INET6, z, bytes) == 1;
}

/* 0: there is no such interface. */
static unsigned
interface_index(struct str name, struct resolv_conf_links *links)
{
	char text[IF_NAMESIZE];
	uint64_t number = 0;
	unsigned index;
	size_t i = 0;

	if (name.n == 0 || name.n >= sizeof text || (str_u64(name, &number) && number > INT_MAX))
		return 0;
	if (number)
		return (unsigned)number;
	snprintf(text, sizeof text, "%.*s", STR_ARG(name));
	while (i < RESOLVER_SERVERS_MAX - 1 && links->known[i].index &&
	       strcmp(links->known[i].name, text) != 0)
		i++;
	index = if_nametoindex(text);
	if (index == 0)
		return strcmp(links->known[i].name, text) == 0 ? links->known[i].index : 0;
	memcpy(links->known[i].name, text, sizeof text);
	links->known[i].index = index;
	return index;
}

/* An address of a link (fe80::1%eth0) needs its interface, which libunbound wants as a number. */
static void
add_server(struct resolv_conf *c, struct str address, struct resolv_conf_links *links)
{
	size_t at = str_find(address, '%');
	char *host = mem_text(address.p, at);
	unsigned index = interface_index(str_from(address, at + 1), links);
	struct str shown = str_upto(address, RESOLV_CONF_SERVER_BYTES);
	char *out = c->servers[c->count];

	if (!is_address(host)) {
		log_warn("dns: \"nameserver %.*s\" in dns.resolv_conf has no effect: this is no "
			 "numeric address",
		    STR_ARG(shown));
	} else if (at < address.n && index == 0) {
		log_warn("dns: \"nameserver %.*s\" in dns.resolv_conf has no effect: this host "
			 "has no such interface now; reload when it has it",
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

/* A keyword stands at the beginning of its line. */
static void
read_line_of(struct resolv_conf *c, struct str line, struct resolv_conf_links *links)
{
	struct str keyword = STR("nameserver"), rest = str_from(line, keyword.n);
	size_t end = 0;

	if (!str_starts(line, keyword) || rest.n == 0 || (rest.p[0] != ' ' && rest.p[0] != '\t'))
		return;
	rest = str_trim(rest);
	while (end < rest.n && !strchr(" \t\r;#", rest.p[end]))
		end++;
	add_server(c, str_upto(rest, end), links);
}

void
resolv_conf_read(struct str text, struct resolv_conf_links *links, struct resolv_conf *out)
{
	struct str line;

	*out = (struct resolv_conf){0};
	while (out->count < RESOLVER_SERVERS_MAX && str_split(&text, '\n', &line))
		read_line_of(out, line, links);
	if (out->count == 0)
		add_server(out, STR("127.0.0.1"), links);
}
