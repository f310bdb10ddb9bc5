/*
 * route_test: says in rows which way mail for an address would go, and does not send anything: the
 * route first, then each host with its addresses as DNS gives them now.  Whether there is a way,
 * and what a delivery would end with, host_iterator.c says.
 */
#include "base/mem.h"
#include "mail/mail_address.h"
#include "net/endpoint.h"
#include "relay/address_filter.h"
#include "relay/host_iterator.h"
#include "relay/own_addresses.h"
#include "relay/relay_internal.h"

enum { ROW_BYTES_MAX = 8192 };

struct routetest {
	LIST_ENTRY(routetest) link;
	struct relay *relay;
	uint64_t call;
	char *address;
	char *domain;
	struct finder_ask *ask;
	struct resolver_query *query;
	struct found *found;
	struct delivery delivery; /* as one that begins now; no connection is made */
	size_t host;
	bool has_way;
};

static void
routetest_free(struct routetest *t)
{
	finder_cancel(&t->ask);
	resolver_cancel(&t->query);
	found_drop(&t->found);
	LIST_REMOVE(t, link);
	mem_free(t->address);
	mem_free(t->domain);
	mem_free(t);
}

void
routetests_cancel(struct relay *r)
{
	struct routetest *t;

	while ((t = LIST_FIRST(&r->tests)))
		routetest_free(t);
}

static void
send_row(struct routetest *t, const struct buf *values)
{
	struct message_admin_row m = {.values = buf_str(values)};

	(void)!channel_answer(t->relay->control, t->call, MESSAGE_ADMIN_ROW, &m, -1);
}

static void
done(struct routetest *t, uint8_t exit_code, struct str text)
{
	struct message_admin_done m = {.exit_code = exit_code, .text = text};

	(void)!channel_answer(t->relay->control, t->call, MESSAGE_ADMIN_DONE, &m, -1);
	routetest_free(t);
}

/* The status of a delivery as its end. */
static void
done_with(struct routetest *t, const struct status *status)
{
	struct buf text;

	buf_init(&text, ROW_BYTES_MAX);
	status_reply(status, &text);
	done(t, 1, str_trim(str_upto(buf_str(&text), str_find(buf_str(&text), '\r'))));
	buf_clear(&text);
}

/* "": mail may go there. */
static const char *
why_not(const struct site *site, const struct resolver_address *a)
{
	const struct sockaddr *sa = (const struct sockaddr *)&a->sa;

	if (site->allow_private)
		return "";
	if (!range_is_public(sa))
		return "(private)";
	switch (own_has(sa)) {
	case OWN_YES:
		return "(this host)";
	case OWN_UNKNOWN:
		return "(cannot be asked about now)";
	default:
		return "";
	}
}

static void
add_text_of(struct buf *out, const struct site *site, const struct resolver_address *a)
{
	char text[INET6_ADDRSTRLEN_];
	uint16_t port;

	endpoint_text(&a->sa, text, &port);
	buf_addf(out, "%s%s%s", out->n ? " " : "", text, why_not(site, a));
}

/* What a delivery makes of this host, if it comes as far. */
static void
follow_delivery(struct routetest *t, const struct resolver_answer *a)
{
	enum delivery_step step;

	if (t->has_way)
		return;
	step = delivery_step(&t->delivery);
	if (step == DELIVERY_NEEDS_ADDRESSES && t->delivery.host == t->host) {
		delivery_got_addresses(&t->delivery, a);
		step = delivery_step(&t->delivery);
	}
	t->has_way = step == DELIVERY_CONNECT;
}

static void next_host(struct routetest *t);

static void
host_row(struct routetest *t, const struct resolver_answer *a)
{
	static const char *const outcomes[] = {[RESOLVER_NO_DATA] = "no address",
	    [RESOLVER_NO_NAME] = "no such name",
	    [RESOLVER_BOGUS] = "DNSSEC validation failed",
	    [RESOLVER_FAILED] = "DNS failed",
	    [RESOLVER_TIMEOUT] = "DNS gave no answer"};
	const struct site *site = &t->found->site;
	struct buf values, addresses;

	buf_init(&values, ROW_BYTES_MAX);
	buf_init(&addresses, ROW_BYTES_MAX);
	for (size_t i = 0; a->outcome == RESOLVER_FOUND && i < a->count; i++)
		add_text_of(&addresses, site, &a->addresses[i]);
	message_values_add(&values, "row", STR("host"));
	message_values_add_number(&values, "preference", site->hosts[t->host].preference);
	message_values_add(&values, "host", str_of(site->hosts[t->host].name));
	message_values_add(&values, "addresses",
	    a->outcome == RESOLVER_FOUND ? buf_str(&addresses) : str_of(outcomes[a->outcome]));
	message_values_add(&values, "secure", a->is_secure ? STR("yes") : STR("no"));
	send_row(t, &values);
	buf_clear(&values);
	buf_clear(&addresses);
	follow_delivery(t, a);
	t->host++;
	next_host(t);
}

static void
got_addresses(const struct resolver_answer *a, void *arg)
{
	struct routetest *t = arg;

	t->query = NULL;
	host_row(t, a);
}

static void
next_host(struct routetest *t)
{
	const struct site *site = &t->found->site;
	struct resolver_address numeric;
	struct finder_host host;
	struct status status;
	const char *reason;

	if (t->host == site->count && t->has_way) {
		done(t, 0, STR(""));
	} else if (t->host == site->count) {
		status = delivery_verdict(&t->delivery, &reason);
		done_with(t, &status);
	} else if (site_numeric(str_of(site->hosts[t->host].name), site->port, &numeric)) {
		host_row(t, &(struct resolver_answer){
		                .outcome = RESOLVER_FOUND, .addresses = &numeric, .count = 1});
	} else {
		host = (struct finder_host){site, site->hosts[t->host].name};
		t->query = finder_ask_addresses(t->relay->yard.finder, &host, got_addresses, t);
	}
}

static void
got_site(struct found *found, void *arg)
{
	struct routetest *t = arg;
	const struct site *site = &found->site;
	struct buf values;

	t->ask = NULL;
	t->found = found;
	delivery_init(&t->delivery, site);
	t->delivery.is_own = own_has;
	buf_init(&values, ROW_BYTES_MAX);
	message_values_add(&values, "row", STR("route"));
	message_values_add(&values, "address", str_of(t->address));
	message_values_add_number(&values, "route", site->route_number);
	message_values_add(&values, "via", str_of(route_via_name(site->route->via)));
	message_values_add(&values, "tls", str_of(route_tls_name(site->route->tls)));
	message_values_add_number(&values, "port", site->port);
	message_values_add(&values, "site", str_of(site->name));
	send_row(t, &values);
	buf_clear(&values);
	if (site->status.code == 0)
		next_host(t);
	else
		done_with(t, &site->status);
}

/* As at RCPT: <postmaster> has no domain, and all others must have one.  A domain alone will do as
 * well; one word is none. */
static bool
take_domain(struct str text, struct str *domain_out, const char **why_out)
{
	struct address address;

	*why_out = "it is no address";
	*domain_out = text;
	if (address_parse(text, &address, why_out)) {
		*domain_out = address.domain;
		return true;
	}
	if (address_is_literal(text) || (address_is_domain(text) && str_has(text, '.')))
		return true;
	if (address_is_domain(text))
		*why_out = "RCPT wants an address with a domain, or postmaster; a domain of one "
			   "word is tested as x@WORD";
	return false;
}

void
routetest_begin(struct relay *r, uint64_t call, struct str text)
{
	struct routetest *t = MEM_NEW(struct routetest);
	struct str domain, postmaster = r->role->conf->postmaster;
	struct found *found;
	const char *why;

	if (str_ieq(text, STR("postmaster")) && postmaster.n)
		text = postmaster;
	t->relay = r;
	t->call = call;
	t->address = mem_text(text.p, text.n);
	LIST_INSERT_HEAD(&r->tests, t, link);
	if (!take_domain(text, &domain, &why)) {
		done(t, 64, str_of(why));
		return;
	}
	t->domain = mem_text(domain.p, domain.n);
	for (char *p = t->domain; *p; p++)
		*p = char_lower(*p);
	found = finder_have(r->yard.finder, str_of(t->domain));
	if (found)
		got_site(found, t);
	else
		t->ask = finder_ask(r->yard.finder, str_of(t->domain), got_site, t);
}
