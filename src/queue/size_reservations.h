/*
 * size_reservations: the disk space that bodies which are being written will need, as declared by
 * clients (SIZE), for each user.  A declared size costs its user nothing; therefore all
 * reservations of a user together count for other users at most for a part of the space
 * (SIZE_RESERVATIONS_PART).  For the same user they count in full.  A reservation becomes smaller
 * with time, at the rate of a slow client (SIZE_RESERVATIONS_RATE): by then its bytes are written
 * and are not free any more, or they are late, and no space is kept for them.
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
	uint64_t room;                   /* free bytes, at the last check */
	uint64_t counted;                /* of all users, each up to its part of the room */
};

struct size_reservation {
	struct size_reservations_user *user;      /* NULL: nothing is reserved */
	uint64_t declared;                   /* bytes in the SIZE of the client */
	uint64_t remaining;                   /* of them, now */
	int64_t since_ms;                /* monotonic */
};

void size_reservations_init(struct size_reservations *p);
/* All reservations have been ended before. */
void size_reservations_clear(struct size_reservations *p);

/* Sets the number of free bytes, above the minimum that must stay free. */
void size_reservations_see_room(struct size_reservations *p, uint64_t bytes);
/* How many bytes count as reserved for a new body of this user. */
uint64_t size_reservations_before(const struct size_reservations *p, struct str user);

void size_reservation_begin(struct size_reservations *p, struct size_reservation *reservation,
    struct str user, uint64_t bytes, int64_t now_ms);
/* Called each second. */
void size_reservation_shrink(
    struct size_reservations *p, struct size_reservation *reservation, int64_t now_ms);
void size_reservation_end(struct size_reservations *p, struct size_reservation *reservation);

#endif
