/*
 * claimed_identity: parsers for any sequence of bytes with a length; NUL is only special as the
 * separator of PLAIN.
 */
#include "auth/claimed_identity.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "conf/login_name.h"

bool
claimed_is_valid_name(struct str name)
{
	if (name.n == 0 || name.n > CLAIMED_USER_MAX || !str_is_utf8(name))
		return false;
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] < 0x20 || name.p[i] == 0x7f)
			return false;
	/* Cyrus SASL removes blanks: such a name would be checked as another one */
	return name.p[0] != ' ' && name.p[name.n - 1] != ' ';
}

bool
claimed_is_valid_password(struct str password)
{
	return password.n > 0 && password.n <= PASSWORD_MAX && !str_has(password, 0) &&
	    !str_has(password, '\r') && !str_has(password, '\n');
}

static size_t
claimed_copy_name(struct str name, char out[CLAIMED_USER_MAX + 1])
{
	for (size_t i = 0; i < name.n; i++)
		out[i] = char_lower(name.p[i]);
	out[name.n] = '\0';
	return name.n;
}

bool
claimed_set_user(struct str name, struct claimed_identity *out)
{
	*out = (struct claimed_identity){0};
	if (!claimed_is_valid_name(name))
		return false;
	out->user_n = claimed_copy_name(name, out->user);
	return true;
}

static void
claimed_set_authzid(struct claimed_identity *c, struct str authzid)
{
	c->authzid_n = claimed_copy_name(authzid, c->authzid);
	c->has_other_authzid =
	    authzid.n && !str_eq(str_make(c->authzid, c->authzid_n), claimed_name(c));
}

static bool
claimed_complete_name(char name[CLAIMED_USER_MAX + 1], size_t *n, struct str domain)
{
	char buffer[LOGIN_NAME_BYTES];
	struct str completed = login_name_complete(str_make(name, *n), domain, buffer);

	if (completed.n == *n || completed.n > CLAIMED_USER_MAX)
		return false;
	*n = claimed_copy_name(completed, name);
	return true;
}

bool
claimed_complete(struct claimed_identity *c, struct str domain)
{
	bool has_user = claimed_complete_name(c->user, &c->user_n, domain);
	bool has_authzid = claimed_complete_name(c->authzid, &c->authzid_n, domain);

	c->has_other_authzid =
	    c->authzid_n && !str_eq(str_make(c->authzid, c->authzid_n), claimed_name(c));
	return has_user || has_authzid;
}

bool
claimed_parse_plain(struct str message, struct claimed_identity *out)
{
	struct str authzid = str_upto(message, str_find(message, 0));
	struct str rest = str_from(message, authzid.n + 1);
	struct str user = str_upto(rest, str_find(rest, 0));
	struct str password = str_from(rest, user.n + 1);

	*out = (struct claimed_identity){0};
	if (message.n > CLAIMED_MESSAGE_MAX || authzid.n == message.n || user.n == rest.n)
		return false;
	if (!claimed_is_valid_password(password) || (authzid.n && !claimed_is_valid_name(authzid)))
		return false;
	if (!claimed_set_user(user, out))
		return false;
	out->password = password;
	claimed_set_authzid(out, authzid);
	return true;
}

/* saslname: "=2C" is a comma, "=3D" an equals sign, any other "=" is malformed. */
static bool
unescape_saslname(struct str in, char out[CLAIMED_USER_MAX + 1], size_t *n_out)
{
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++) {
		struct str at = str_from(in, i);
		char c = in.p[i];

		if (n == CLAIMED_USER_MAX)
			return false;
		if (c == '=') {
			if (!str_starts(at, STR("=2C")) && !str_starts(at, STR("=3D")))
				return false;
			c = at.p[1] == '2' ? ',' : '=';
			i += 2;
		}
		out[n++] = c;
	}
	*n_out = n;
	return true;
}

static bool
parse_gs2_binding(struct str flag, enum claimed_binding *out)
{
	if (str_eq(flag, STR("n")))
		*out = CLAIMED_BINDING_NONE;
	else if (str_eq(flag, STR("y")))
		*out = CLAIMED_BINDING_NOT_SEEN;
	else if (str_eq(flag, STR("p=tls-exporter")))
		*out = CLAIMED_BINDING_EXPORTER;
	else
		*out = CLAIMED_BINDING_OTHER;
	return *out != CLAIMED_BINDING_OTHER || (str_starts(flag, STR("p=")) && flag.n > 2);
}

/* Splits off the text before the next comma, and removes its prefix of two characters, such as
 * "n=". */
static bool
parse_scram_attribute(struct str *rest, const char *prefix, struct str *out)
{
	struct str part;

	if (!str_split(rest, ',', &part) || !str_starts(part, str_of(prefix)))
		return false;
	*out = str_from(part, 2);
	return true;
}

static bool
parse_gs2_authzid(struct str *rest, char out[CLAIMED_USER_MAX + 1], size_t *n_out)
{
	struct str part;

	*n_out = 0;
	if (!str_split(rest, ',', &part))
		return false;
	if (part.n == 0)
		return true;
	return str_starts(part, STR("a=")) && unescape_saslname(str_from(part, 2), out, n_out) &&
	       *n_out > 0;
}

bool
claimed_parse_scram(struct str message, struct claimed_identity *out)
{
	char authzid[CLAIMED_USER_MAX + 1], user[CLAIMED_USER_MAX + 1];
	enum claimed_binding binding;
	struct str rest = message, part;
	size_t authzid_n, user_n;

	*out = (struct claimed_identity){0};
	if (message.n == 0 || message.n > CLAIMED_MESSAGE_MAX || !str_is_utf8(message) ||
	    str_has(message, 0))
		return false;
	if (!str_split(&rest, ',', &part) || !parse_gs2_binding(part, &binding))
		return false;
	if (!parse_gs2_authzid(&rest, authzid, &authzid_n) ||
	    !parse_scram_attribute(&rest, "n=", &part))
		return false;
	/* all later readers get the name in one form */
	if (!unescape_saslname(part, user, &user_n) ||
	    !claimed_set_user(str_make(user, user_n), out))
		return false;
	if (!parse_scram_attribute(&rest, "r=", &part) || part.n == 0 || !str_is_printable(part))
		return false;
	out->binding = binding;
	claimed_set_authzid(out, str_make(authzid, authzid_n));
	return true;
}

struct str
claimed_network(struct str client, char out[CLAIMED_NETWORK_BYTES])
{
	char text[INET6_ADDRSTRLEN] = "";
	struct in6_addr six;

	if (client.n < sizeof text)
		memcpy(text, client.p, client.n);
	if (inet_pton(AF_INET, text, out) == 1)
		return str_make(out, 4);
	if (inet_pton(AF_INET6, text, &six) != 1)
		return str_make(out, 0);
	if (IN6_IS_ADDR_V4MAPPED(&six)) {
		memcpy(out, six.s6_addr + 12, 4);
		return str_make(out, 4);
	}
	memcpy(out, six.s6_addr, CLAIMED_NETWORK_BYTES);
	return str_make(out, CLAIMED_NETWORK_BYTES);
}
