/*
 * resolv_conf: see the header.
 */
#include "net/resolv_conf.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/mem.h"

enum { DNS_PORT = 53 };

static bool
is_address(const char *z)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, z, bytes) == 1 || inet_pton(AF_INET6, z, bytes) == 1;
}

/* An address of a link (fe80::1%eth0) needs its interface, which libunbound wants as a number. */
static void
add_server(struct resolv_conf *c, struct str address)
{
	size_t at = str_find(address, '%');
	char *host = mem_text(address.p, at), *scope = mem_text(address.p + at, address.n - at);
	char *out = c->servers[c->count];
	bool is_good = address.n < 60 && is_address(host);
	unsigned index = *scope ? if_nametoindex(scope + 1) : 0;

	if (is_good && index)
		snprintf(out, RESOLV_CONF_SERVER_BYTES, "%s%%%u@%d", host, index, DNS_PORT);
	else if (is_good)
		snprintf(out, RESOLV_CONF_SERVER_BYTES, "%s%s@%d", host, scope, DNS_PORT);
	c->count += is_good;
	mem_free(host);
	mem_free(scope);
}

/* A keyword stands at the beginning of its line. */
static void
read_line_of(struct resolv_conf *c, struct str line)
{
	struct str keyword = STR("nameserver"), rest = str_from(line, keyword.n);
	size_t end = 0;

	if (!str_starts(line, keyword) || rest.n == 0 || (rest.p[0] != ' ' && rest.p[0] != '\t'))
		return;
	rest = str_trim(rest);
	while (end < rest.n && !strchr(" \t\r;#", rest.p[end]))
		end++;
	add_server(c, str_upto(rest, end));
}

void
resolv_conf_read(struct str text, struct resolv_conf *out)
{
	struct str line;

	*out = (struct resolv_conf){0};
	while (out->count < RESOLVER_SERVERS_MAX && str_split(&text, '\n', &line))
		read_line_of(out, line);
	if (out->count == 0)
		add_server(out, STR("127.0.0.1"));
}
