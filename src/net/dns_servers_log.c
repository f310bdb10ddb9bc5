/*
 * dns_servers_log: one line for each change.  What a silent server means depends on its place:
 * that a name does not exist is believed of the first one alone.
 */
#include "net/dns_servers_log.h"

#include "base/buf.h"
#include "base/log.h"
#include "net/dns_server.h"

enum { SERVER_NAMES_BYTES = 512 };

static void
log_all_silent(struct dns_server *const *servers, size_t count)
{
	struct buf names;

	buf_init(&names, SERVER_NAMES_BYTES);
	for (size_t i = 0; i < count; i++)
		buf_addf(&names, "%s%s", i ? ", " : "", dns_server_name(servers[i]));
	log_error("dns: no resolver answers (%.*s): mail whose hosts are looked up is deferred; "
		  "when one answers again it is tried as its schedule says, or at once with "
		  "`sallyport queue retry --all`",
	    STR_ARG(buf_str(&names)));
	buf_clear(&names);
}

void
dns_server_log_change(
    struct dns_server *const *servers, size_t count, const struct dns_server *changed)
{
	size_t silent = 0;

	for (size_t i = 0; i < count; i++)
		silent += dns_server_state(servers[i], NULL) == DNS_SERVER_SILENT;
	if (dns_server_state(changed, NULL) != DNS_SERVER_SILENT)
		log_info("dns: %s answers again", dns_server_name(changed));
	else if (silent == count)
		log_all_silent(servers, count);
	else if (changed == servers[0])
		log_warn("dns: %s does not answer, the others are asked: as long as this lasts, "
			 "mail for names that do not exist, and for names that only this server "
			 "knows, is deferred",
		    dns_server_name(changed));
	else
		log_warn("dns: %s does not answer: it is asked last", dns_server_name(changed));
}
