/*
 * value_form: the syntax of texts: names, addresses, paths.  Nothing is looked up.
 */
#include <arpa/inet.h>
#include <string.h>

#include "conf/network.h"
#include "conf/value.h"

enum { LABEL_MAX = 63, DOMAIN_MAX = 253, LOCAL_MAX = 64 };

static bool
has_label_form(struct str label, bool may_utf8)
{
	if (label.n == 0 || label.n > LABEL_MAX)
		return false;
	if (label.p[0] == '-' || label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++) {
		char c = label.p[i];
		bool is_high = (unsigned char)c >= 0x80;

		if (!char_is_alpha(c) && !char_is_digit(c) && c != '-' && !(is_high && may_utf8))
			return false;
	}
	return true;
}

static bool
is_domain(struct str text, bool may_utf8)
{
	struct str rest = text, label;
	size_t labels = 0;

	if (text.n == 0 || text.n > DOMAIN_MAX || !str_is_utf8(text))
		return false;
	while (str_split(&rest, '.', &label)) {
		if (!has_label_form(label, may_utf8))
			return false;
		labels++;
	}
	return labels > 0;
}

static bool
is_ip(struct str text)
{
	char z[INET6_ADDRSTRLEN];
	unsigned char bytes[16];

	if (text.n == 0 || text.n >= sizeof z || memchr(text.p, '\0', text.n))
		return false;
	memcpy(z, text.p, text.n);
	z[text.n] = '\0';
	return inet_pton(AF_INET, z, bytes) == 1 || inet_pton(AF_INET6, z, bytes) == 1;
}

static bool
is_resolver(struct str text)
{
	size_t at = str_find(text, '@');
	uint64_t port = 53;

	if (str_eq(text, STR("system")) || str_eq(text, STR("root")))
		return true;

	if (at < text.n && !str_u64(str_from(text, at + 1), &port))
		return false;
	return is_ip(str_upto(text, at)) && port >= 1 && port <= 65535;
}

/* A dot-atom, or printable characters in quotes (RFC 5321 section 4.1.2); also UTF-8. */
static bool
is_local(struct str local)
{
	bool is_quoted = local.n > 2 && local.p[0] == '"' && local.p[local.n - 1] == '"';

	if (local.n == 0 || local.n > LOCAL_MAX || !str_is_utf8(local))
		return false;
	for (size_t i = 0; i < local.n; i++) {
		unsigned char c = (unsigned char)local.p[i];

		if (c < 0x20 || c == 0x7f)
			return false;
		if (!is_quoted && strchr(" \"(),:;<>@[\\]", c))
			return false;
	}
	return true;
}

static bool
has_address_form(struct str text, bool may_star)
{
	size_t at = str_rfind(text, '@');
	struct str local = str_upto(text, at);

	if (at == text.n || !is_domain(str_from(text, at + 1), true))
		return false;
	if (str_eq(local, STR("*")))
		return may_star;
	return is_local(local);
}

static bool
is_path(struct str text)
{
	return text.n > 1 && text.n < 4096 && text.p[0] == '/';
}

/* A login may or may not have a domain. */
static bool
is_login(struct str text)
{
	return has_address_form(text, false) || (!str_has(text, '@') && is_local(text));
}

static bool
is_secret(struct str text)
{
	if (str_starts(text, STR("file:")))
		return is_path(str_from(text, 5));
	if (str_starts(text, STR("credential:")))
		return text.n > 11 && !str_has(text, '/');
	return text.n > 0;
}

static bool
is_to_domain(struct str text)
{
	return is_domain(str_starts(text, STR("*.")) ? str_from(text, 2) : text, true);
}

/* "[::1]", "[::1]:25", as other programs write it. */
static bool
is_bracketed(struct str text)
{
	size_t end = str_find(text, ']');

	return text.n > 2 && text.p[0] == '[' && end < text.n &&
	    is_ip(str_make(text.p + 1, end - 1));
}

const char *
value_form(enum conf_key_form form, struct str text)
{
	struct network network;

	switch (form) {
	case FORM_HOSTNAME:
		return is_domain(text, false) && !is_ip(text) ? NULL : "a host name";
	case FORM_DOMAIN:
		return is_domain(text, true) ? NULL : "a domain name";
	case FORM_HOST:
		return is_domain(text, false) || is_ip(text) ? NULL
		    : is_bracketed(text) ? "a host name or a numeric address: it stands without "
					   "brackets, and a port in a key of its own"
					 : "a host name or a numeric address";
	case FORM_ADDRESS:
		return has_address_form(text, false) ? NULL : "a mail address";
	case FORM_PATH:
		return is_path(text) ? NULL : "an absolute path";
	case FORM_IP:
		return is_ip(text) ? NULL
		    : is_bracketed(text) ? "a numeric address: it stands without brackets, and a "
					   "port in a key of its own"
					 : "a numeric address";
	case FORM_RESOLVER:
		return is_resolver(text) ? NULL
		                         : "\"system\", \"root\", ADDRESS or ADDRESS@PORT, the "
		                           "address numeric";
	case FORM_ZONE:
		return is_domain(text, false) ? NULL : "a domain name in ASCII";
	case FORM_TO_DOMAIN:
		return is_to_domain(text) ? NULL : "a domain, or *. and a domain";
	case FORM_PATTERN:
		return has_address_form(text, true) ? NULL : "a mail address, or *@ and a domain";
	case FORM_LOGIN:
		return is_login(text) ? NULL : "a login";
	case FORM_NETWORK:
		return network_parse(text, &network)
		    ? NULL
		    : "an address, or a network like 192.0.2.0/24 without bits behind its prefix";
	case FORM_SECRET:
		return is_secret(text) ? NULL : "a password, \"file:/path\" or \"credential:NAME\"";
	default:
		return text.n ? NULL : "not empty";
	}
}
