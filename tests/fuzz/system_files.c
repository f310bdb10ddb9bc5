/* fuzz target: resolv.conf, hosts and trust anchor files keep their bounds, whatever they hold. */
#include <stdlib.h>

#include "conf/anchor.h"
#include "net/hosts.h"
#include "net/resolv_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_anchor(struct str text)
{
	char owner[ANCHOR_OWNER_BYTES];
	unsigned line = 0;

	/* what is accepted has a name to ask for */
	if (!anchor_check(text, &line) && !anchor_owner(text, owner))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make((const char *)data, size);
	struct conf_route route = {.via = VIA_SMTP, .host = STR("host.example")};
	struct conf conf = {.routes = {&route, 1}};
	const struct hosts_entry *entry;
	struct resolv_conf servers;
	struct resolv_conf_links links;
	struct buf numbered;
	struct hosts *hosts;

	buf_init(&numbered, 8 * size + 64);
	if (!resolv_conf_number_links(text, &numbered, &links) || !buf_ok(&numbered) ||
	    links.count > RESOLV_CONF_LINKS_MAX)
		abort();
	resolv_conf_read(buf_str(&numbered), &servers);
	buf_clear(&numbered);
	if (servers.count == 0 || servers.count > RESOLVER_SERVERS_MAX)
		abort();
	hosts = hosts_new(text, &conf);
	entry = hosts_find(hosts, route.host);
	if (entry && (entry->count == 0 || entry->count > RESOLVER_ADDRESSES_MAX))
		abort();
	hosts_free(&hosts);
	read_anchor(text);
	return 0;
}
