/*
 * compaction_entries: the entries of one message that compaction writes again: the message as it is
 * stored, its hold, and the present status of each recipient.  Nothing is read or appended here.
 */
#ifndef SPOOL_COMPACTION_ENTRIES_H
#define SPOOL_COMPACTION_ENTRIES_H

#include "spool/spool_internal.h"

/* The hold of the message as it is now, ended or not. */
struct spool_entry compaction_hold_entry(const struct stored_message *i);
/* The size of the copy's frame with the present statuses; 0: these are not known. */
size_t compaction_message_bytes(struct spool *s, const struct stored_message *i);
/* Fills in the message r, its hold, and each status that differs from the initial state, at most
 * two entries more than recipients; returns how many.  0: the statuses are not known. */
size_t compaction_message_entries(struct spool *s, const struct stored_message *i,
    const struct frame_entry *r, struct spool_entry *entries);

#endif
