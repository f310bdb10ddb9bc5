/*
 * list_index: see the header.
 */
#include "conf/list_index.h"

#include "base/hash.h"
#include "conf/login_name.h"

struct order_table {
	struct arena *arena;
	struct conf_order_entry *places;
	size_t mask;
};

/* The place of the key, or the free one where it belongs.  The administrator chooses the keys. */
static struct conf_order_entry *
order_place(struct conf_order_entry *places, size_t mask, struct str key)
{
	size_t i = hash_bytes((struct hash_key){0, 0}, key) & mask;

	while (places[i].key.p && !str_eq(places[i].key, key))
		i = (i + 1) & mask;
	return &places[i];
}

static void
order_begin(struct order_table *t, struct arena *arena, size_t count_max)
{
	size_t size = 2;

	while (size < 2 * (count_max + 1))
		size *= 2;
	*t = (struct order_table){
	    arena, ARENA_ARRAY(arena, struct conf_order_entry, size), size - 1};
	for (size_t i = 0; i < size; i++)
		t->places[i] = (struct conf_order_entry){STR_NULL, 0};
}

static void
order_add(struct order_table *t, struct str key, size_t at)
{
	struct str own = arena_lower(t->arena, key);
	struct conf_order_entry *place = order_place(t->places, t->mask, own);

	if (!place->key.p)
		*place = (struct conf_order_entry){own, (uint32_t)at};
}

static struct conf_order
order_end(const struct order_table *t)
{
	return (struct conf_order){t->places, t->mask};
}

int64_t
conf_order_find(const struct conf_order *o, struct str key)
{
	const struct conf_order_entry *found;
	char room[CONF_ORDER_KEY_MAX];

	if (key.n > sizeof room || !o->entry)
		return CONF_ORDER_NONE;
	for (size_t i = 0; i < key.n; i++)
		room[i] = char_lower(key.p[i]);
	found = order_place((struct conf_order_entry *)o->entry, o->mask, str_make(room, key.n));
	return found->key.p ? (int64_t)found->at : CONF_ORDER_NONE;
}

/* ---- grants of sender_policy.send_as ---- */

/* Without the quotes and backslashes of a quoted local part (RFC 5321 section 4.1.2). */
static size_t
order_unquote(struct str local, char *to)
{
	bool is_quoted = local.n >= 2 && local.p[0] == '"';
	struct str inside = is_quoted ? str_make(local.p + 1, local.n - 2) : local;
	size_t n = 0;

	for (size_t i = 0; i < inside.n; i++) {
		if (is_quoted && inside.p[i] == '\\' && i + 1 < inside.n)
			i++;
		to[n++] = inside.p[i];
	}
	return n;
}

bool
conf_order_grant_key(struct str user, struct str local, struct str domain,
    char room[CONF_ORDER_KEY_MAX], struct str *key_out)
{
	size_t n = user.n;

	if (user.n + local.n + domain.n + 2 > CONF_ORDER_KEY_MAX)
		return false;
	memcpy(room, user.p, user.n);
	room[n++] = '\0';
	n += order_unquote(local, room + n);
	room[n++] = '@';
	memcpy(room + n, domain.p, domain.n);
	*key_out = str_make(room, n + domain.n);
	return true;
}

static void
order_add_grant(struct order_table *t, struct str user, struct str address, size_t at)
{
	char room[CONF_ORDER_KEY_MAX];
	size_t split = str_rfind(address, '@');
	struct str local = str_upto(address, split), key;

	if (str_eq(local, STR("*")))
		local = STR_NULL;
	if (conf_order_grant_key(user, local, str_from(address, split + 1), room, &key))
		order_add(t, key, at);
}

static struct conf_order
order_grants(struct conf *c)
{
	struct order_table t;
	size_t count = 0;

	for (size_t i = 0; i < c->sender_policy.send_as.count; i++)
		count += 2 * c->sender_policy.send_as.item[i].addresses.count;
	order_begin(&t, &c->arena, count);
	for (size_t i = 0; i < c->sender_policy.send_as.count; i++) {
		const struct conf_send_as *s = &c->sender_policy.send_as.item[i];
		char room[LOGIN_NAME_BYTES];
		struct str other = login_name_other(c, s->user, room);

		for (size_t a = 0; a < s->addresses.count; a++) {
			order_add_grant(&t, s->user, s->addresses.str[a], i);
			order_add_grant(&t, other, s->addresses.str[a], i);
		}
	}
	return order_end(&t);
}

/* ---- the other lists ---- */

static struct conf_order
order_limits(struct conf *c)
{
	struct order_table t;
	char room[LOGIN_NAME_BYTES];

	order_begin(&t, &c->arena, 2 * c->limits.users.count);
	for (size_t i = 0; i < c->limits.users.count; i++) {
		struct str user = c->limits.users.item[i].user;

		order_add(&t, user, i);
		order_add(&t, login_name_other(c, user, room), i);
	}
	return order_end(&t);
}

static struct conf_order
order_domains(struct conf *c)
{
	struct order_table t;

	order_begin(&t, &c->arena, c->domains.count);
	for (size_t i = 0; i < c->domains.count; i++)
		order_add(&t, c->domains.item[i].name, i);
	return order_end(&t);
}

/* "*.example.com" has the key ".example.com", which no domain has. */
static struct conf_order
order_routes(struct conf *c)
{
	struct order_table t;

	order_begin(&t, &c->arena, c->routes.count);
	for (size_t i = 0; i < c->routes.count; i++) {
		struct str pattern = c->routes.item[i].to_domain;

		order_add(&t, str_from(pattern, str_starts(pattern, STR("*."))), i);
	}
	return order_end(&t);
}

void
conf_order_make(struct conf *c)
{
	c->limits_by_user = order_limits(c);
	c->domains_by_name = order_domains(c);
	c->routes_by_domain = order_routes(c);
	c->grants = order_grants(c);
}
