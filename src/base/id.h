/*
 * id: one number from login to delivery.  60 bits: 42 of milliseconds since 1970, 5 node,
 * 6 process slot, 7 counter; twelve characters of Crockford's base 32, so that text sorts by time.
 * A slot belongs to one process at a time, and a process never reuses a value.
 */
#ifndef BASE_ID_H
#define BASE_ID_H

#include "base/str.h"

enum { ID_TEXT_BYTES = 13, ID_SLOTS = 64, ID_NODES = 32, ID_NUMBER_TEXT_BYTES = 40 };

struct id_source {
	uint8_t node;
	uint8_t slot;
	uint64_t last; /* milliseconds << 7 | counter of the last id given */
};

/* Ids start above floor_ms (the newest time that the spool has seen). */
void id_source_init(struct id_source *s, uint8_t node, uint8_t slot, int64_t floor_ms);
/* Never the same twice; when the clock stands or runs back, the last millisecond is counted on. */
uint64_t id_next(struct id_source *s);

int64_t id_ms(uint64_t id);
/* Twelve characters and a NUL; returns out. */
char *id_text(uint64_t id, char out[ID_TEXT_BYTES]);

/* A message: the session's id and its number in it (from 1).  number 0: the session itself. */
struct msgid {
	uint64_t session;
	uint32_t number;
};

/* "1R8K3M7Q4TB2-1", and with recipient > 0 "1R8K3M7Q4TB2-1.2"; returns out. */
char *msgid_text(struct msgid id, uint32_t recipient, char out[ID_NUMBER_TEXT_BYTES]);
/* Accepts all three forms; what is absent is 0. */
bool msgid_parse(struct str text, struct msgid *out, uint32_t *recipient_out) MUST_USE;

static inline bool
msgid_eq(struct msgid a, struct msgid b)
{
	return a.session == b.session && a.number == b.number;
}

#endif
