/*
 * destination: two tables: the transports, and the attributes of the text with their order.  A text
 * is canonical when formatting what was parsed gives it again.
 */
#include "policy/destination.h"

#include <stdio.h>

#include "base/encode.h"
#include "conf/list_index.h"

/* ---- the tables ---- */

struct destination_transport {
	const char *word;
	uint16_t port; /* 0: by the TLS of the route */
	bool names_host;
};

static const struct destination_transport transports[] = {
    [VIA_MX] = {"mx", 0, false},
    [VIA_SMARTHOST] = {"smarthost", 0, true},
    [VIA_SMTP] = {"smtp", 0, true},
    [VIA_LMTP] = {"lmtp", 24, true},
};
enum { TRANSPORTS = sizeof transports / sizeof transports[0] };

static const char *const tls_words[] = {
    [ROUTE_TLS_OPPORTUNISTIC] = "opportunistic",
    [ROUTE_TLS_NONE] = "none",
    [ROUTE_TLS_ENCRYPT] = "encrypt",
    [ROUTE_TLS_VERIFY] = "verify",
    [ROUTE_TLS_IMPLICIT] = "implicit",
    [ROUTE_TLS_STARTTLS] = "starttls",
};
enum { TLS_WORDS = sizeof tls_words / sizeof tls_words[0] };

bool
destination_names_host(const struct destination *d)
{
	return transports[d->transport].names_host;
}

const char *
destination_transport_name(const struct destination *d)
{
	return transports[d->transport].word;
}

const char *
destination_tls_name(const struct destination *d)
{
	return tls_words[d->tls];
}

static uint16_t
destination_default_port(const struct destination *d)
{
	if (transports[d->transport].port)
		return transports[d->transport].port;
	if (d->tls == ROUTE_TLS_IMPLICIT)
		return 465;
	return d->tls == ROUTE_TLS_STARTTLS ? 587 : 25;
}

/* ---- the route ---- */

/* All zero: every domain, by MX, opportunistic TLS, no private addresses. */
static const struct conf_route built_in;

static int64_t
earlier_route(int64_t a, int64_t b)
{
	if (a == LIST_INDEX_NONE || b == LIST_INDEX_NONE)
		return a == LIST_INDEX_NONE ? b : a;
	return a < b ? a : b;
}

/* "*.example.com" matches all names below example.com, not example.com itself. */
static int64_t
find_route_below(const struct conf *c, struct str domain)
{
	int64_t first = LIST_INDEX_NONE;

	for (size_t i = 1; i < domain.n; i++)
		if (domain.p[i] == '.')
			first = earlier_route(first,
			    list_index_find(&c->routes_by_domain, str_from(domain, i)));
	return first;
}

/* The position of the first route that matches, or LIST_INDEX_NONE. */
static int64_t
find_route(const struct conf *c, struct str domain)
{
	int64_t for_all = list_index_find(&c->routes_by_domain, STR_NULL);
	bool is_name = domain.n > 0 && domain.p[0] != '.';
	int64_t exact = is_name ? list_index_find(&c->routes_by_domain, domain) : for_all;

	return earlier_route(exact, earlier_route(for_all, find_route_below(c, domain)));
}

void
destination_of_route(const struct conf_route *r, struct destination *out)
{
	*out = (struct destination){.transport = (enum conf_via)r->via,
	    .next_hop = r->host,
	    .login = r->username,
	    .tls = (enum conf_route_tls)r->tls,
	    .ca_file = r->ca_file};
	out->port = r->port ? (uint16_t)r->port : destination_default_port(out);
	/* the operator named this host: it may be in the local network */
	out->allow_private = destination_names_host(out) || r->allow_private;
}

/* A name that is no domain name goes nowhere, whatever the routes are: relay refuses it. */
unsigned
destination_decide(
    const struct conf *c, struct str domain, char room[IDN_BYTES], struct destination *out)
{
	bool is_literal = domain.n && domain.p[0] == '[';
	bool is_name = !is_literal && idn_to_ascii(domain, room);
	struct str to = is_name ? str_of(room) : domain;
	int64_t at = is_name || is_literal ? find_route(c, to) : LIST_INDEX_NONE;

	destination_of_route(at == LIST_INDEX_NONE ? &built_in : &c->routes.item[at], out);
	if (!destination_names_host(out))
		out->next_hop = to;
	return at == LIST_INDEX_NONE ? 0 : (unsigned)at + 1;
}

/* ---- credentials ---- */

/* The domain of an mx destination does not come from its route. */
static bool
destination_is_of_route(const struct destination *d, const struct conf_route *r)
{
	struct destination of;

	destination_of_route(r, &of);
	return d->transport == of.transport && d->port == of.port && d->tls == of.tls &&
	       d->allow_private == of.allow_private && str_eq(d->login, of.login) &&
	       str_eq(d->ca_file, of.ca_file) &&
	       (!destination_names_host(d) || str_eq(d->next_hop, of.next_hop));
}

bool
destination_is_unchanged(const struct conf *a, const struct conf *b)
{
	struct destination d;

	if (a->routes.count != b->routes.count)
		return false;
	for (size_t i = 0; i < a->routes.count; i++) {
		const struct conf_route *r = &a->routes.item[i], *other = &b->routes.item[i];

		destination_of_route(r, &d);
		if (!str_eq(r->to_domain, other->to_domain) || !destination_is_of_route(&d, other))
			return false;
	}
	return true;
}

bool
destination_find_credentials(
    const struct conf *c, const struct destination *d, struct str *password_out)
{
	*password_out = STR_NULL;
	if (d->login.n == 0 && d->ca_file.n == 0)
		return true;
	for (size_t i = 0; i < c->routes.count; i++)
		if (destination_is_of_route(d, &c->routes.item[i])) {
			*password_out = c->routes.item[i].password;
			return true;
		}
	return false;
}

/* ---- the text ---- */

static void
add_escaped(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c > 0x20 && c < 0x7f && c != ';' && c != '%')
			buf_addc(out, text.p[i]);
		else
			buf_addf(out, "%%%02X", c);
	}
}

static int
hex_digit(char c)
{
	if (char_is_digit(c))
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Writes the text without escapes at *room, and moves *room behind it. */
static bool
take_escaped(struct str text, char **room, struct str *out)
{
	char *to = *room;

	out->p = to;
	for (size_t i = 0; i < text.n; i++) {
		int high, low;

		if (text.p[i] != '%') {
			*to++ = text.p[i];
			continue;
		}
		if (text.n - i < 3)
			return false;
		high = hex_digit(text.p[i + 1]);
		low = hex_digit(text.p[i + 2]);
		if (high < 0 || low < 0)
			return false;
		*to++ = (char)(high << 4 | low);
		i += 2;
	}
	out->n = (size_t)(to - *room);
	*room = to;
	return true;
}

static bool
take_word(struct str word, const char *const *words, unsigned count, unsigned *out)
{
	for (unsigned i = 0; i < count; i++)
		if (str_eq(word, str_of(words[i]))) {
			*out = i;
			return true;
		}
	return false;
}

static void
add_port(const struct destination *d, struct buf *out)
{
	if (d->port != destination_default_port(d))
		buf_addf(out, ";port=%u", d->port);
}

static bool
take_port(struct str value, char **room, struct destination *d)
{
	uint64_t port;

	(void)room;
	if (!str_u64(value, &port) || port == 0 || port > UINT16_MAX)
		return false;
	d->port = (uint16_t)port;
	return true;
}

static void
add_tls(const struct destination *d, struct buf *out)
{
	if (d->tls != ROUTE_TLS_OPPORTUNISTIC)
		buf_addf(out, ";tls=%s", tls_words[d->tls]);
}

static bool
take_tls(struct str value, char **room, struct destination *d)
{
	unsigned tls = 0;

	(void)room;
	if (!take_word(value, tls_words, TLS_WORDS, &tls))
		return false;
	d->tls = (enum conf_route_tls)tls;
	return true;
}

static void
add_ca_file(const struct destination *d, struct buf *out)
{
	if (d->ca_file.n == 0)
		return;
	buf_addz(out, ";ca=");
	add_escaped(out, d->ca_file);
}

static bool
take_ca_file(struct str value, char **room, struct destination *d)
{
	return take_escaped(value, room, &d->ca_file);
}

static void
add_login(const struct destination *d, struct buf *out)
{
	if (d->login.n == 0)
		return;
	buf_addz(out, ";login=");
	add_escaped(out, d->login);
}

static bool
take_login(struct str value, char **room, struct destination *d)
{
	return take_escaped(value, room, &d->login);
}

static void
add_private(const struct destination *d, struct buf *out)
{
	if (d->allow_private && !destination_names_host(d))
		buf_addz(out, ";private=yes");
}

static bool
take_private(struct str value, char **room, struct destination *d)
{
	(void)room;
	d->allow_private = true;
	return str_eq(value, STR("yes"));
}

struct destination_attribute {
	const char *word;
	/* adds nothing when it has its default */
	void (*add)(const struct destination *d, struct buf *out);
	bool (*take)(struct str value, char **room, struct destination *d);
};

static const struct destination_attribute attributes[] = {
    {"port", add_port, take_port},
    {"tls", add_tls, take_tls},
    {"ca", add_ca_file, take_ca_file},
    {"login", add_login, take_login},
    {"private", add_private, take_private},
};
enum { ATTRIBUTES = sizeof attributes / sizeof attributes[0] };

void
destination_format(const struct destination *d, struct buf *out)
{
	buf_addz(out, transports[d->transport].word);
	buf_addc(out, ':');
	add_escaped(out, d->next_hop);
	for (size_t i = 0; i < ATTRIBUTES; i++)
		attributes[i].add(d, out);
}

static bool
take_transport(struct str word, struct destination *d)
{
	for (unsigned i = 0; i < TRANSPORTS; i++)
		if (str_eq(word, str_of(transports[i].word))) {
			d->transport = (enum conf_via)i;
			return true;
		}
	return false;
}

static bool
take_attribute(struct str text, char **room, struct destination *d)
{
	size_t sign = str_find(text, '=');

	for (size_t i = 0; i < ATTRIBUTES && sign < text.n; i++)
		if (str_eq(str_upto(text, sign), str_of(attributes[i].word)))
			return attributes[i].take(str_from(text, sign + 1), room, d);
	return false;
}

static bool
is_canonical(const struct destination *d, struct str text)
{
	struct buf again;
	bool is_equal;

	buf_init(&again, DESTINATION_TEXT_MAX);
	destination_format(d, &again);
	is_equal = buf_ok(&again) && str_eq(buf_str(&again), text);
	buf_clear(&again);
	return is_equal;
}

bool
destination_parse(struct str text, char *room, struct destination *out)
{
	struct str rest = text, part;
	size_t colon = str_find(text, ':');

	*out = (struct destination){.transport = VIA_MX};
	if (colon == text.n || !take_transport(str_upto(text, colon), out))
		return false;
	rest = str_from(text, colon + 1);
	if (!str_split(&rest, ';', &part) || !take_escaped(part, &room, &out->next_hop))
		return false;
	while (str_split(&rest, ';', &part))
		if (!take_attribute(part, &room, out))
			return false;
	if (out->port == 0)
		out->port = destination_default_port(out);
	out->allow_private |= destination_names_host(out);
	return is_canonical(out, text);
}
