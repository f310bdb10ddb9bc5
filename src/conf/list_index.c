/*
 * list_index: see the header.
 */
#include "conf/list_index.h"

#include "base/hash.h"
#include "conf/login_name.h"

struct list_index_table {
	struct arena *arena;
	struct list_index_entry *slots;
	size_t mask;
};

/* The slot of the key, or the unused one where it belongs.  The keys come from the
 * administrator. */
static struct list_index_entry *
list_index_slot(struct list_index_entry *slots, size_t mask, struct str key)
{
	size_t i = hash_bytes((struct hash_key){0, 0}, key) & mask;

	while (slots[i].key.p && !str_eq(slots[i].key, key))
		i = (i + 1) & mask;
	return &slots[i];
}

static void
list_index_begin(struct list_index_table *t, struct arena *arena, size_t count_max)
{
	size_t size = 2;

	while (size < 2 * (count_max + 1))
		size *= 2;
	*t = (struct list_index_table){
	    arena, ARENA_ARRAY(arena, struct list_index_entry, size), size - 1};
	for (size_t i = 0; i < size; i++)
		t->slots[i] = (struct list_index_entry){STR_NULL, 0};
}

static void
list_index_add(struct list_index_table *t, struct str key, size_t at)
{
	struct str own = arena_lower(t->arena, key);
	struct list_index_entry *slot = list_index_slot(t->slots, t->mask, own);

	if (!slot->key.p)
		*slot = (struct list_index_entry){own, (uint32_t)at};
}

static struct list_index
list_index_end(const struct list_index_table *t)
{
	return (struct list_index){t->slots, t->mask};
}

int64_t
list_index_find(const struct list_index *o, struct str key)
{
	const struct list_index_entry *found;
	char room[LIST_INDEX_KEY_MAX];

	if (key.n > sizeof room || !o->entry)
		return LIST_INDEX_NONE;
	for (size_t i = 0; i < key.n; i++)
		room[i] = char_lower(key.p[i]);
	found =
	    list_index_slot((struct list_index_entry *)o->entry, o->mask, str_make(room, key.n));
	return found->key.p ? (int64_t)found->at : LIST_INDEX_NONE;
}

/* ---- grants of sender_policy.send_as ---- */

/* Copies a quoted local part without its quotes and backslashes (RFC 5321 section 4.1.2). */
static size_t
list_index_unquote(struct str local, char *to)
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
list_index_grant_key(struct str user, struct str local, struct str domain,
    char room[LIST_INDEX_KEY_MAX], struct str *key_out)
{
	size_t n = user.n;

	if (user.n + local.n + domain.n + 2 > LIST_INDEX_KEY_MAX)
		return false;
	memcpy(room, user.p, user.n);
	room[n++] = '\0';
	n += list_index_unquote(local, room + n);
	room[n++] = '@';
	memcpy(room + n, domain.p, domain.n);
	*key_out = str_make(room, n + domain.n);
	return true;
}

static void
list_index_add_grant(struct list_index_table *t, struct str user, struct str address, size_t at)
{
	char room[LIST_INDEX_KEY_MAX];
	size_t split = str_rfind(address, '@');
	struct str local = str_upto(address, split), key;

	if (str_eq(local, STR("*")))
		local = STR_NULL;
	if (list_index_grant_key(user, local, str_from(address, split + 1), room, &key))
		list_index_add(t, key, at);
}

static struct list_index
list_index_of_grants(struct conf *c)
{
	struct list_index_table t;
	size_t count = 0;

	for (size_t i = 0; i < c->sender_policy.send_as.count; i++)
		count += 2 * c->sender_policy.send_as.item[i].addresses.count;
	list_index_begin(&t, &c->arena, count);
	for (size_t i = 0; i < c->sender_policy.send_as.count; i++) {
		const struct conf_send_as *s = &c->sender_policy.send_as.item[i];
		char room[LOGIN_NAME_BYTES];
		struct str other = login_name_other(c, s->user, room);

		for (size_t a = 0; a < s->addresses.count; a++) {
			list_index_add_grant(&t, s->user, s->addresses.str[a], i);
			list_index_add_grant(&t, other, s->addresses.str[a], i);
		}
	}
	return list_index_end(&t);
}

/* ---- the other lists ---- */

static struct list_index
list_index_of_limits(struct conf *c)
{
	struct list_index_table t;
	char room[LOGIN_NAME_BYTES];

	list_index_begin(&t, &c->arena, 2 * c->limits.users.count);
	for (size_t i = 0; i < c->limits.users.count; i++) {
		struct str user = c->limits.users.item[i].user;

		list_index_add(&t, user, i);
		list_index_add(&t, login_name_other(c, user, room), i);
	}
	return list_index_end(&t);
}

static struct list_index
list_index_of_domains(struct conf *c)
{
	struct list_index_table t;

	list_index_begin(&t, &c->arena, c->domains.count);
	for (size_t i = 0; i < c->domains.count; i++)
		list_index_add(&t, c->domains.item[i].name, i);
	return list_index_end(&t);
}

/* "*.example.com" has the key ".example.com", which is no domain. */
static struct list_index
list_index_of_routes(struct conf *c)
{
	struct list_index_table t;

	list_index_begin(&t, &c->arena, c->routes.count);
	for (size_t i = 0; i < c->routes.count; i++) {
		struct str pattern = c->routes.item[i].to_domain;

		list_index_add(&t, str_from(pattern, str_starts(pattern, STR("*."))), i);
	}
	return list_index_end(&t);
}

void
list_index_make_all(struct conf *c)
{
	c->limits_by_user = list_index_of_limits(c);
	c->domains_by_name = list_index_of_domains(c);
	c->routes_by_domain = list_index_of_routes(c);
	c->grants = list_index_of_grants(c);
}
