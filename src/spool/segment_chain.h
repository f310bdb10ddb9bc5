/*
 * segment_chain: checks that every segment of the log exists.  The first frame of each segment
 * names the segment before it, and segments are freed oldest first.  So a segment that is named,
 * does not exist and is not known to be freed is missing, with the messages in it.  Each finding is
 * logged once; --accept-damage decides whether the start goes on.
 */
#ifndef SPOOL_SEGMENT_CHAIN_H
#define SPOOL_SEGMENT_CHAIN_H

#include "spool/replay_types.h"

/* Merges the mark in a segment's header into that of the replay. */
void segment_chain_merge_mark(
    struct replay *r, const struct segment *g, const struct segment_mark *mark);
/* The segments are sorted by generation.  -1 with EEXIST, logged: two have the same one, and it is
 * not known which of them belongs to the log. */
int segment_chain_check_generations(struct segment *const *segments, size_t count) MUST_USE;
/* Is the segment a part of the log, so that its frames are read? */
bool segment_chain_is_read(const struct replay_end *end);
/* Does the mark show that this generation is not needed any more? */
bool segment_chain_is_freed(const struct replay *r, uint64_t generation);
/*
 * Does this segment name one that was freed and is gone?  Segments are freed oldest first, so none
 * before that one is needed.  And the statuses of the messages in such an older segment may have
 * been in the one that is gone: so older ones are not read, however their files came back.
 */
bool segment_chain_follows_freed(const struct replay *r, struct segment *const *segments,
    size_t count, const struct replay_end *end);
/*
 * To be called after replay_find_ends.  -1 with ENOTRECOVERABLE, logged: segments are missing and
 * the start does not accept damage.  0: the mark for the next headers is complete.
 */
int segment_chain_check(struct replay *r, struct segment *const *segments, size_t count) MUST_USE;

/*
 * The same for a segment whose seal is damaged, with the bytes of its file, when all before it are
 * read.  No segment is missing before it if its first frame follows what was read, or if no
 * generation is between.  A segment that has no seal because of a power cut is not damaged.
 */
int segment_chain_check_unsealed(struct replay *r, const struct segment *g,
    const struct replay_end *end, struct str bytes) MUST_USE;

/* To be called when the segments that the log needs are read: does the newest segment exist that
 * was begun, which no other one names?  If no segment is left, segment_chain_check_any reports it
 * instead.  -1 with ENOTRECOVERABLE, logged: it is missing. */
int segment_chain_check_newest(struct replay *r) MUST_USE;
/* To be called when all is read.  If a mark records freed segments, a segment is recorded as the
 * newest, or bodies of messages exist, then there was a log, and its newest segment is never freed.
 * -1 with ENOTRECOVERABLE, logged: nothing of it is left. */
int segment_chain_check_any(struct replay *r, size_t count) MUST_USE;

/* No segment can be missing, not even the newest one, which none names: the segment that was
 * prepared after it is unused, and would have been taken first.  newest: the highest generation of
 * all headers. */
bool segment_chain_is_complete(const struct replay *r, uint64_t newest);
/* Makes sure that what is written after this start gets generations above those of segments that
 * may be missing without a trace: the newest files, or all that came after a backup that was
 * restored.  If such a file is put back, it stands before what is written now, not in its place or
 * after it.  If nothing of the log is left, the same applies to sequence numbers, and no missing
 * segment is made void: it may be put back. */
void segment_chain_skip_generations(struct replay *r);

/* The end of a log line about missing files: what to do if the start is refused for them; otherwise
 * what this start does. */
const char *segment_chain_advice(const struct replay *r, const char *if_refused);
/* To be called when the loss of acknowledged messages was logged.  0: the start goes on, and
 * headers will record it; -1 with ENOTRECOVERABLE. */
int segment_chain_accept_loss(struct replay *r, uint64_t generation) MUST_USE;

#endif
