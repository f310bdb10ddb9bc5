/*
 * size_reservations: see the header.
 */
#include "queue/size_reservations.h"

#include "base/mem.h"

struct size_reservations_user {
	struct str name;                 /* owned */
	uint64_t left;                   /* of all its promises */
	unsigned count;
};

void
size_reservations_init(struct size_reservations *p)
{
	*p = (struct size_reservations){.users = map_new(), .room = UINT64_MAX};
}

void
size_reservations_clear(struct size_reservations *p)
{
	map_free(&p->users);
}

static uint64_t
size_reservations_counted(const struct size_reservations *p, const struct size_reservations_user *u)
{
	uint64_t part = p->room / SIZE_RESERVATIONS_PART;

	return u->left < part ? u->left : part;
}

static void
size_reservations_count_one(struct str key, void *value, void *arg)
{
	struct size_reservations *p = arg;

	(void)key;
	p->counted += size_reservations_counted(p, value);
}

void
size_reservations_see_room(struct size_reservations *p, uint64_t bytes)
{
	p->room = bytes;
	p->counted = 0;
	map_each(p->users, size_reservations_count_one, p);
}

uint64_t
size_reservations_before(const struct size_reservations *p, struct str user)
{
	const struct size_reservations_user *u = map_get(p->users, user);

	return u ? p->counted - size_reservations_counted(p, u) + u->left : p->counted;
}

static void
size_reservation_change(struct size_reservations *p, struct size_reservation *one, uint64_t left)
{
	struct size_reservations_user *u = one->user;

	p->counted -= size_reservations_counted(p, u);
	u->left = u->left - one->left + left;
	one->left = left;
	p->counted += size_reservations_counted(p, u);
}

void
size_reservation_begin(struct size_reservations *p, struct size_reservation *one, struct str user,
    uint64_t bytes, int64_t now_ms)
{
	struct size_reservations_user *u = map_get(p->users, user);

	if (!u) {
		u = MEM_NEW(struct size_reservations_user);
		u->name = str_make(mem_text(user.p, user.n), user.n);
		map_put(p->users, u->name, u);
	}
	u->count++;
	*one = (struct size_reservation){.user = u, .said = bytes, .since_ms = now_ms};
	size_reservation_change(p, one, bytes);
}

void
size_reservation_shrink(struct size_reservations *p, struct size_reservation *one, int64_t now_ms)
{
	uint64_t come;

	if (!one->user || one->left == 0 || now_ms < one->since_ms)
		return;
	come = (uint64_t)(now_ms - one->since_ms) * SIZE_RESERVATIONS_RATE / 1000;
	size_reservation_change(p, one, one->said > come ? one->said - come : 0);
}

void
size_reservation_end(struct size_reservations *p, struct size_reservation *one)
{
	struct size_reservations_user *u = one->user;

	if (!u)
		return;
	size_reservation_change(p, one, 0);
	one->user = NULL;
	if (--u->count > 0)
		return;
	map_remove(p->users, u->name);
	mem_free((char *)(uintptr_t)u->name.p);
	mem_free(u);
}
