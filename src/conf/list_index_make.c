/*
 * list_index_make: a user that is written without a domain has an entry for each of the two logins
 * that the name means (conf/login_name.h).
 */
#include "conf/list_index_make.h"

#include "conf/list_index.h"
#include "conf/login_name.h"

/* ---- grants of sender_policy.send_as ---- */

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
