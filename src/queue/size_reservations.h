/*
 * size_reservations: the room that bodies which are being written will need, by what their clients
 * said (SIZE), for each user.  A promise costs its user nothing, so with others it counts for a
 * part of the room only (PROMISES_PART), however many a user makes; for the same user it counts in
 * full. And it falls with time, at the pace of a slow client (PROMISES_RATE): its bytes have come
 * by then and are not free any more, or they are late, and the room is not kept for them.
 */
#ifndef QUEUE_SIZE_RESERVATIONS_H
#define QUEUE_SIZE_RESERVATIONS_H

#include "base/map.h"

enum {
	PROMISES_PART = 4,               /* a quarter */
	PROMISES_RATE = 256 << 10,       /* bytes in a second */
};

struct promises {
	struct map *users;               /* struct promises_user, by name */
	uint64_t room;                   /* when it was looked at last */
	uint64_t counted;                /* of all users, each up to its part of the room */
};

struct promise {
	struct promises_user *user;      /* NULL: nothing is promised */
	uint64_t said;                   /* bytes */
	uint64_t left;                   /* of them, by now */
	int64_t since_ms;                /* monotonic */
};

void promises_init(struct promises *p);
/* All promises are ended. */
void promises_clear(struct promises *p);

/* So much room there is now, beside what must stay free. */
void promises_see_room(struct promises *p, uint64_t bytes);
/* What a body of this user finds promised. */
uint64_t promises_before(const struct promises *p, struct str user);

void promise_begin(
    struct promises *p, struct promise *one, struct str user, uint64_t bytes, int64_t now_ms);
/* Each second. */
void promise_age(struct promises *p, struct promise *one, int64_t now_ms);
void promise_end(struct promises *p, struct promise *one);

#endif
