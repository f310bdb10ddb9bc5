/*
 * kept_envelopes: the envelopes that the replay has read, so that the messages need not be read a
 * second time to be reported; up to a limit, beyond which those of further messages are read again.
 * Nothing is left of it after the start.
 */
#ifndef SPOOL_KEPT_ENVELOPES_H
#define SPOOL_KEPT_ENVELOPES_H

#include "spool/spool_index.h"

enum { KEPT_ENVELOPES_BYTES_MAX = 128 << 20 };

struct kept_envelopes {
	struct buf bytes;
	size_t at;                       /* of the next one that may be found */
};

/* Nothing is kept yet, and never more than this; 0: KEPT_ENVELOPES_BYTES_MAX. */
void kept_envelopes_init(struct kept_envelopes *k, size_t bytes_max);
void kept_envelopes_clear(struct kept_envelopes *k);
/* Keeps the envelope of the message with this record, unless there are too many. */
void kept_envelopes_add(
    struct kept_envelopes *k, const struct spool_entry *e, const struct index_position *at);
/* Finds the envelope of a message at its present position; to be called once for each message, in
 * log order.  False: it is not kept. */
bool kept_envelopes_find(struct kept_envelopes *k, const struct spool_index *x,
    const struct stored_message *i, struct str *envelope_out) MUST_USE;

#endif
