/*
 * size_reservations: the room that bodies which are being written will need, by what their clients
 * said (SIZE), for each user.  A promise costs its user nothing, so with others it counts for a
 * part of the room only (SIZE_RESERVATIONS_PART), however many a user makes; for the same user it
 * counts in full. And it falls with time, at the pace of a slow client (SIZE_RESERVATIONS_RATE):
 * its bytes have come by then and are not free any more, or they are late, and the room is not kept
 * for them.
 */
#ifndef QUEUE_SIZE_RESERVATIONS_H
#define QUEUE_SIZE_RESERVATIONS_H

#include "base/map.h"

enum {
	SIZE_RESERVATIONS_PART = 4,               /* a quarter */
	SIZE_RESERVATIONS_RATE = 256 << 10,       /* bytes in a second */
};

struct size_reservations {
	struct map *users;               /* struct size_reservations_user, by name */
	uint64_t room;                   /* when it was looked at last */
	uint64_t counted;                /* of all users, each up to its part of the room */
};

struct size_reservation {
	struct size_reservations_user *user;      /* NULL: nothing is promised */
	uint64_t said;                   /* bytes */
	uint64_t left;                   /* of them, by now */
	int64_t since_ms;                /* monotonic */
};

void size_reservations_init(struct size_reservations *p);
/* All promises are ended. */
void size_reservations_clear(struct size_reservations *p);

/* So much room there is now, beside what must stay free. */
void size_reservations_see_room(struct size_reservations *p, uint64_t bytes);
/* What a body of this user finds promised. */
uint64_t size_reservations_before(const struct size_reservations *p, struct str user);

void size_reservation_begin(struct size_reservations *p, struct size_reservation *one,
    struct str user, uint64_t bytes, int64_t now_ms);
/* Each second. */
void size_reservation_shrink(
    struct size_reservations *p, struct size_reservation *one, int64_t now_ms);
void size_reservation_end(struct size_reservations *p, struct size_reservation *one);

#endif
