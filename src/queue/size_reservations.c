/*
 * size_reservations: see the header.
 */
#include "queue/size_reservations.h"

#include "base/mem.h"

struct promises_user {
	struct str name;                 /* owned */
	uint64_t left;                   /* of all its promises */
	unsigned count;
};

void
promises_init(struct promises *p)
{
	*p = (struct promises){.users = map_new(), .room = UINT64_MAX};
}

void
promises_clear(struct promises *p)
{
	map_free(&p->users);
}

static uint64_t
promises_counted(const struct promises *p, const struct promises_user *u)
{
	uint64_t part = p->room / PROMISES_PART;

	return u->left < part ? u->left : part;
}

static void
promises_count_one(struct str key, void *value, void *arg)
{
	struct promises *p = arg;

	(void)key;
	p->counted += promises_counted(p, value);
}

void
promises_see_room(struct promises *p, uint64_t bytes)
{
	p->room = bytes;
	p->counted = 0;
	map_each(p->users, promises_count_one, p);
}

uint64_t
promises_before(const struct promises *p, struct str user)
{
	const struct promises_user *u = map_get(p->users, user);

	return u ? p->counted - promises_counted(p, u) + u->left : p->counted;
}

static void
promise_change(struct promises *p, struct promise *one, uint64_t left)
{
	struct promises_user *u = one->user;

	p->counted -= promises_counted(p, u);
	u->left = u->left - one->left + left;
	one->left = left;
	p->counted += promises_counted(p, u);
}

void
promise_begin(
    struct promises *p, struct promise *one, struct str user, uint64_t bytes, int64_t now_ms)
{
	struct promises_user *u = map_get(p->users, user);

	if (!u) {
		u = MEM_NEW(struct promises_user);
		u->name = str_make(mem_text(user.p, user.n), user.n);
		map_put(p->users, u->name, u);
	}
	u->count++;
	*one = (struct promise){.user = u, .said = bytes, .since_ms = now_ms};
	promise_change(p, one, bytes);
}

void
promise_age(struct promises *p, struct promise *one, int64_t now_ms)
{
	uint64_t come;

	if (!one->user || one->left == 0 || now_ms < one->since_ms)
		return;
	come = (uint64_t)(now_ms - one->since_ms) * PROMISES_RATE / 1000;
	promise_change(p, one, one->said > come ? one->said - come : 0);
}

void
promise_end(struct promises *p, struct promise *one)
{
	struct promises_user *u = one->user;

	if (!u)
		return;
	promise_change(p, one, 0);
	one->user = NULL;
	if (--u->count > 0)
		return;
	map_remove(p->users, u->name);
	mem_free((char *)(uintptr_t)u->name.p);
	mem_free(u);
}
