/*
 * id: one identifier for a session from login to delivery.  60 bits: 42 bits of milliseconds since
 * 1970, 5 of node, 6 of process slot, 7 of counter; as text twelve characters of Crockford's base
 * 32, so that text sorts by time. A slot belongs to one process at a time, and a process never
 * reuses a value.
 */
#ifndef BASE_ID_H
#define BASE_ID_H

#include "base/str.h"

enum { ID_TEXT_BYTES = 13, ID_SLOTS = 64, ID_NODES = 32, ID_NUMBER_TEXT_BYTES = 40 };

struct id_source {
	uint8_t node;
	uint8_t slot;
	uint64_t last; /* milliseconds << 7 | counter of the last id */
};

/* Ids are later than floor_ms (the newest time in the spool). */
void id_source_init(struct id_source *s, uint8_t node, uint8_t slot, int64_t floor_ms);
/* Never the same id twice: when the clock stops or goes back, the counter and then the last
 * millisecond are increased. */
uint64_t id_next(struct id_source *s);

/* The time at which the id was made. */
int64_t id_ms(uint64_t id);
/* Twelve characters and a NUL; returns out. */
char *id_text(uint64_t id, char out[ID_TEXT_BYTES]);

/* A message: the id of its session and its number in the session (from 1).  number 0: the session
 * itself. */
struct msgid {
	uint64_t session;
	uint32_t number;
};

/* "1R8K3M7Q4TB2-1", and with recipient > 0 "1R8K3M7Q4TB2-1.2"; returns out. */
char *msgid_text(struct msgid id, uint32_t recipient, char out[ID_NUMBER_TEXT_BYTES]);
/* Parses all three forms; a missing part is 0. */
bool msgid_parse(struct str text, struct msgid *out, uint32_t *recipient_out) MUST_USE;

enum { MSGID_KEY_BYTES = 12 };

/* The id as the key of a map; it points into room.  (struct msgid has padding, which a key must not
 * have.) */
static inline struct str
msgid_key(struct msgid id, char room[MSGID_KEY_BYTES])
{
	memcpy(room, &id.session, 8);
	memcpy(room + 8, &id.number, 4);
	return str_make(room, MSGID_KEY_BYTES);
}

/* Are both the same message? */
static inline bool
msgid_eq(struct msgid a, struct msgid b)
{
	return a.session == b.session && a.number == b.number;
}

#endif
