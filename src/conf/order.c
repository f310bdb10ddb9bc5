/*
 * order: see the header.
 */
#include "conf/order.h"

#include <stdlib.h>

/* What is being collected before it is sorted. */
struct order_list {
	struct arena *arena;
	struct conf_order_entry *entries;
	size_t count;
};

static int
order_compare_keys(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int r = n ? memcmp(a.p, b.p, n) : 0;

	return r ? r : (a.n > b.n) - (a.n < b.n);
}

static int
order_compare(const void *a, const void *b)
{
	const struct conf_order_entry *x = a, *y = b;
	int r = order_compare_keys(x->key, y->key);

	return r ? r : (x->at > y->at) - (x->at < y->at);
}

static void
order_begin(struct order_list *l, struct arena *arena, size_t count_max)
{
	*l = (struct order_list){.arena = arena};
	l->entries = ARENA_ARRAY(arena, struct conf_order_entry, count_max + 1);
}

static void
order_add(struct order_list *l, struct str key, size_t at)
{
	l->entries[l->count++] =
	    (struct conf_order_entry){arena_lower(l->arena, key), (uint32_t)at};
}

static struct conf_order
order_end(struct order_list *l)
{
	qsort(l->entries, l->count, sizeof *l->entries, order_compare);
	return (struct conf_order){l->entries, l->count};
}

int64_t
conf_order_find(const struct conf_order *o, struct str key)
{
	char room[CONF_ORDER_KEY_MAX];
	size_t low = 0, high = o->count;

	if (key.n > sizeof room)
		return CONF_ORDER_NONE;
	for (size_t i = 0; i < key.n; i++)
		room[i] = char_lower(key.p[i]);
	key.p = room;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (order_compare_keys(o->entry[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == o->count || !str_eq(o->entry[low].key, key))
		return CONF_ORDER_NONE;
	return o->entry[low].at;
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
order_add_grant(struct order_list *l, struct str user, struct str address, size_t at)
{
	char room[CONF_ORDER_KEY_MAX];
	size_t split = str_rfind(address, '@');
	struct str local = str_upto(address, split), key;

	if (str_eq(local, STR("*")))
		local = STR_NULL;
	if (conf_order_grant_key(user, local, str_from(address, split + 1), room, &key))
		order_add(l, key, at);
}

static struct conf_order
order_grants(struct conf *c)
{
	struct order_list l;
	size_t count = 0;

	for (size_t i = 0; i < c->sender_policy.send_as.count; i++)
		count += c->sender_policy.send_as.item[i].addresses.count;
	order_begin(&l, &c->arena, count);
	for (size_t i = 0; i < c->sender_policy.send_as.count; i++) {
		const struct conf_send_as *s = &c->sender_policy.send_as.item[i];

		for (size_t a = 0; a < s->addresses.count; a++)
			order_add_grant(&l, s->user, s->addresses.str[a], i);
	}
	return order_end(&l);
}

/* ---- the other lists ---- */

static struct conf_order
order_limits(struct conf *c)
{
	struct order_list l;

	order_begin(&l, &c->arena, c->limits.users.count);
	for (size_t i = 0; i < c->limits.users.count; i++)
		order_add(&l, c->limits.users.item[i].user, i);
	return order_end(&l);
}

static struct conf_order
order_domains(struct conf *c)
{
	struct order_list l;

	order_begin(&l, &c->arena, c->domains.count);
	for (size_t i = 0; i < c->domains.count; i++)
		order_add(&l, c->domains.item[i].name, i);
	return order_end(&l);
}

/* "*.example.com" has the key ".example.com", which no domain has. */
static struct conf_order
order_routes(struct conf *c)
{
	struct order_list l;

	order_begin(&l, &c->arena, c->routes.count);
	for (size_t i = 0; i < c->routes.count; i++) {
		struct str pattern = c->routes.item[i].to_domain;

		order_add(&l, str_from(pattern, str_starts(pattern, STR("*."))), i);
	}
	return order_end(&l);
}

void
conf_order_make(struct conf *c)
{
	c->limits_by_user = order_limits(c);
	c->domains_by_name = order_domains(c);
	c->routes_by_domain = order_routes(c);
	c->grants = order_grants(c);
}
