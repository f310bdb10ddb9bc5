/*
 * last_login: owns one map entry for each login, which a later success changes in place. The time
 * of its creation is kept too, because a login without an entry may have succeeded before that. It
 * does not know whether an account exists.
 */
#include "auth/last_login.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

struct last_logins {
	struct map *by_name;
	int64_t since_ms;
};

struct last_logins *
last_logins_new(void)
{
	struct last_logins *all = MEM_NEW(struct last_logins);

	all->by_name = map_new();
	all->since_ms = clock_ms();
	return all;
}

void
last_logins_free(struct last_logins **all)
{
	if (!*all)
		return;
	map_free_all(&(*all)->by_name);
	mem_free(*all);
	*all = NULL;
}

void
last_logins_put(struct last_logins *all, struct str login, struct str client, struct str mechanism)
{
	struct last_login *entry = map_get(all->by_name, login);

	if (!entry) {
		entry = MEM_NEW(struct last_login);
		(void)map_put(all->by_name, login, entry);
	}
	entry->at_ms = clock_ms();
	snprintf(entry->client, sizeof entry->client, "%.*s", STR_ARG(client));
	snprintf(entry->mechanism, sizeof entry->mechanism, "%.*s", STR_ARG(mechanism));
}

const struct last_login *
last_logins_get(const struct last_logins *all, struct str login)
{
	return map_get(all->by_name, login);
}

void
last_logins_forget(struct last_logins *all, struct str login)
{
	mem_free(map_remove(all->by_name, login));
}

int64_t
last_logins_since_ms(const struct last_logins *all)
{
	return all->since_ms;
}
