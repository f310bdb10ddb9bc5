/*
 * size_reservations: `counted` is the sum of what each user counts for the others: the part of a
 * user is taken out before each change and added after it, and all is summed up again when the room
 * changes. A user exists while it has a reservation. No disk is asked: the room is told by the
 * caller.
 */
#include "queue/size_reservations.h"

#include "base/mem.h"

struct size_reservations_user {
	struct str name;                 /* owned */
	uint64_t remaining;                   /* of all its reservations */
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

	return u->remaining < part ? u->remaining : part;
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

	return u ? p->counted - size_reservations_counted(p, u) + u->remaining : p->counted;
}

static void
size_reservation_change(
    struct size_reservations *p, struct size_reservation *reservation, uint64_t remaining)
{
	struct size_reservations_user *u = reservation->user;

	p->counted -= size_reservations_counted(p, u);
	u->remaining = u->remaining - reservation->remaining + remaining;
	reservation->remaining = remaining;
	p->counted += size_reservations_counted(p, u);
}

void
size_reservation_begin(struct size_reservations *p, struct size_reservation *reservation,
    struct str user, uint64_t bytes, int64_t now_ms)
{
	struct size_reservations_user *u = map_get(p->users, user);

	if (!u) {
		u = MEM_NEW(struct size_reservations_user);
		u->name = str_make(mem_text(user.p, user.n), user.n);
		map_put(p->users, u->name, u);
	}
	u->count++;
	*reservation = (struct size_reservation){.user = u, .declared = bytes, .since_ms = now_ms};
	size_reservation_change(p, reservation, bytes);
}

void
size_reservation_shrink(
    struct size_reservations *p, struct size_reservation *reservation, int64_t now_ms)
{
	uint64_t received;

	if (!reservation->user || reservation->remaining == 0 || now_ms < reservation->since_ms)
		return;
	received = (uint64_t)(now_ms - reservation->since_ms) * SIZE_RESERVATIONS_RATE / 1000;
	size_reservation_change(p, reservation,
	    reservation->declared > received ? reservation->declared - received : 0);
}

void
size_reservation_end(struct size_reservations *p, struct size_reservation *reservation)
{
	struct size_reservations_user *u = reservation->user;

	if (!u)
		return;
	size_reservation_change(p, reservation, 0);
	reservation->user = NULL;
	if (--u->count > 0)
		return;
	map_remove(p->users, u->name);
	mem_free((char *)(uintptr_t)u->name.p);
	mem_free(u);
}
