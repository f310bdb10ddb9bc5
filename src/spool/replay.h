/*
 * replay: applies the frames of segments to the index, oldest first.  The seal at the start of a
 * segment records where the one before it really ended; whatever was written between is void.
 * Bytes that are no frame are skipped: they are copied if something that was acknowledged is
 * missing, and ignored if they are the remains of an unfinished write.  It runs during a start
 * only, and changes nothing on the disk.
 */
#ifndef SPOOL_REPLAY_H
#define SPOOL_REPLAY_H

#include "spool/replay_types.h"

/* Finds out what is to be read of each segment.  -1 with errno, logged: a seal could not be
 * read. */
int replay_find_ends(
    struct replay *r, struct segment *const *segments, size_t count) MUST_USE;
/* Reads a segment and moves it into the index or the pool.  -1 with errno, logged: it could not be
 * read or synced, or a newer version wrote it. */
int replay_segment(struct replay *r, struct segment *g, size_t number) MUST_USE;
/* Frees what the replay collected. */
void replay_clear(struct replay *r);

#endif
