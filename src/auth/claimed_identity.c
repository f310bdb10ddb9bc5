/*
 * claimed_identity: total parsers over counted bytes; NUL has no meaning but PLAIN's.
 */
#include "auth/claimed_identity.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "conf/login_name.h"

bool
claim_is_name(struct str name)
{
	if (name.n == 0 || name.n > CLAIM_USER_MAX || !str_is_utf8(name))
		return false;
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] < 0x20 || name.p[i] == 0x7f)
			return false;
	/* Cyrus cuts blanks off: such a name would be checked as another one */
	return name.p[0] != ' ' && name.p[name.n - 1] != ' ';
}

bool
claim_is_password(struct str password)
{
	return password.n > 0 && password.n <= PASSWORD_MAX && !str_has(password, 0) &&
	    !str_has(password, '\r') && !str_has(password, '\n');
}

static size_t
claim_copy_name(struct str name, char out[CLAIM_USER_MAX + 1])
{
	for (size_t i = 0; i < name.n; i++)
		out[i] = char_lower(name.p[i]);
	out[name.n] = '\0';
	return name.n;
}

bool
claim_user(struct str name, struct claim *out)
{
	*out = (struct claim){0};
	if (!claim_is_name(name))
		return false;
	out->user_n = claim_copy_name(name, out->user);
	return true;
}

static void
claim_set_other(struct claim *c, struct str other)
{
	c->other_n = claim_copy_name(other, c->other);
	c->is_for_other = other.n && !str_eq(str_make(c->other, c->other_n), claim_name(c));
}

static bool
claim_complete_name(char name[CLAIM_USER_MAX + 1], size_t *n, struct str domain)
{
	char room[LOGIN_NAME_BYTES];
	struct str whole = login_name_complete(str_make(name, *n), domain, room);

	if (whole.n == *n || whole.n > CLAIM_USER_MAX)
		return false;
	*n = claim_copy_name(whole, name);
	return true;
}

bool
claim_complete(struct claim *c, struct str domain)
{
	bool has_user = claim_complete_name(c->user, &c->user_n, domain);
	bool has_other = claim_complete_name(c->other, &c->other_n, domain);

	c->is_for_other =
	    c->other_n && !str_eq(str_make(c->other, c->other_n), claim_name(c));
	return has_user || has_other;
}

bool
claim_plain(struct str message, struct claim *out)
{
	struct str other = str_upto(message, str_find(message, 0));
	struct str rest = str_from(message, other.n + 1);
	struct str user = str_upto(rest, str_find(rest, 0));
	struct str password = str_from(rest, user.n + 1);

	*out = (struct claim){0};
	if (message.n > CLAIM_MESSAGE_MAX || other.n == message.n || user.n == rest.n)
		return false;
	if (!claim_is_password(password) || (other.n && !claim_is_name(other)))
		return false;
	if (!claim_user(user, out))
		return false;
	out->password = password;
	claim_set_other(out, other);
	return true;
}

/* saslname: "=2C" is a comma, "=3D" an equals sign, any other "=" is malformed. */
static bool
unescape(struct str in, char out[CLAIM_USER_MAX + 1], size_t *n_out)
{
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++) {
		struct str at = str_from(in, i);
		char c = in.p[i];

		if (n == CLAIM_USER_MAX)
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
take_binding(struct str flag, enum claim_binding *out)
{
	if (str_eq(flag, STR("n")))
		*out = CLAIM_BINDING_NONE;
	else if (str_eq(flag, STR("y")))
		*out = CLAIM_BINDING_NOT_SEEN;
	else if (str_eq(flag, STR("p=tls-exporter")))
		*out = CLAIM_BINDING_EXPORTER;
	else
		*out = CLAIM_BINDING_OTHER;
	return *out != CLAIM_BINDING_OTHER || (str_starts(flag, STR("p=")) && flag.n > 2);
}

/* What stands before the next comma, without its two-letter prefix "n=". */
static bool
take_attribute(struct str *rest, const char *prefix, struct str *out)
{
	struct str part;

	if (!str_split(rest, ',', &part) || !str_starts(part, str_of(prefix)))
		return false;
	*out = str_from(part, 2);
	return true;
}

static bool
take_other(struct str *rest, char out[CLAIM_USER_MAX + 1], size_t *n_out)
{
	struct str part;

	*n_out = 0;
	if (!str_split(rest, ',', &part))
		return false;
	if (part.n == 0)
		return true;
	return str_starts(part, STR("a=")) && unescape(str_from(part, 2), out, n_out) && *n_out > 0;
}

bool
claim_scram(struct str message, struct claim *out)
{
	char other[CLAIM_USER_MAX + 1], user[CLAIM_USER_MAX + 1];
	enum claim_binding binding;
	struct str rest = message, part;
	size_t other_n, user_n;

	*out = (struct claim){0};
	if (message.n == 0 || message.n > CLAIM_MESSAGE_MAX || !str_is_utf8(message) ||
	    str_has(message, 0))
		return false;
	if (!str_split(&rest, ',', &part) || !take_binding(part, &binding))
		return false;
	if (!take_other(&rest, other, &other_n) || !take_attribute(&rest, "n=", &part))
		return false;
	/* one form of the name for all who read it */
	if (!unescape(part, user, &user_n) || !claim_user(str_make(user, user_n), out))
		return false;
	if (!take_attribute(&rest, "r=", &part) || part.n == 0 || !str_is_printable(part))
		return false;
	out->binding = binding;
	claim_set_other(out, str_make(other, other_n));
	return true;
}

struct str
claim_network(struct str client, char out[CLAIM_NETWORK_BYTES])
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
	memcpy(out, six.s6_addr, CLAIM_NETWORK_BYTES);
	return str_make(out, CLAIM_NETWORK_BYTES);
}
