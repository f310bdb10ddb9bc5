/*
 * segment_chain: is every segment there that the log must consist of?  The first frame of each
 * segment names the one before it, and segments are freed oldest first.  So one that is named and
 * neither there nor known to be freed is missing, with the messages that stood in it.
 */
#ifndef SPOOL_SEGMENT_CHAIN_H
#define SPOOL_SEGMENT_CHAIN_H

#include "spool/replay.h"

/* What the header of a segment says of all of them. */
void segment_chain_merge_mark(
    struct replay *r, const struct segment *g, const struct segment_mark *mark);
/* By generation.  -1 with EEXIST, told: two have the same one, and which of them belongs to the log
 * cannot be known. */
int segment_chain_check_generations(struct segment *const *segments, size_t count) MUST_USE;
/* A mark says that no such segment is needed any more. */
bool segment_chain_is_freed(const struct replay *r, uint64_t generation);
/*
 * Does this segment name one that was freed and is gone?  They are freed oldest first, so none
 * before that one is needed; and what became of the messages in such an older one may have stood in
 * it: they are not read, however their file came back.
 */
bool segment_chain_follows_freed(const struct replay *r, struct segment *const *segments,
    size_t count, const struct replay_end *end);
/*
 * After replay_find_ends.  -1 with ENOTRECOVERABLE, told: segments are missing and the start does
 * not accept damage.  0: the mark of the spool is made, for the next headers.
 */
int segment_chain_check(struct replay *r, struct segment *const *segments, size_t count) MUST_USE;

/*
 * The same for one whose seal is damaged, when all before it are read, of the bytes of its file: no
 * segment is missing before it if its first frame follows what was read, or if no generation is
 * between.  One without a seal because the power was cut is no damage.
 */
int segment_chain_check_unsealed(struct replay *r, const struct segment *g,
    const struct replay_end *end, struct str bytes) MUST_USE;

/* When those that the log needs are read: is the newest there that was begun, which no other one
 * names?  Where nothing is left segment_chain_check_any tells it.  -1 with ENOTRECOVERABLE, told:
 * it is missing. */
int segment_chain_check_newest(struct replay *r) MUST_USE;
/* When all is read: marks speak of what was freed, a segment is named as the newest, or bodies of
 * messages are there; so there was a log, and its newest segment is never freed.  -1 with
 * ENOTRECOVERABLE, told: nothing of it is left. */
int segment_chain_check_any(struct replay *r, size_t count) MUST_USE;

/* No segment can be missing, not even the newest, which none names: the one that was made ready
 * after it stands unused, and would have been taken first.  newest: of all headers. */
bool segment_chain_is_complete(const struct replay *r, uint64_t newest);
/* What is written after this start gets generations above those of what may be gone without a
 * trace: the newest files, or all that came after a backup that was restored.  If that is put back,
 * it stands before what is written now, not in its place or behind it.  Where nothing is left the
 * same goes for sequence numbers, and nothing of what is gone is voided: it may be put back. */
void segment_chain_skip_generations(struct replay *r);

/* What a line about files that are missing ends with: what to do where the start is refused for
 * them; else what this start does. */
const char *segment_chain_advice(const struct replay *r, const char *if_refused);
/* Acknowledged messages are lost, as was told.  0: the start goes on, and headers will say so; -1
 * with ENOTRECOVERABLE. */
int segment_chain_accept_loss(struct replay *r, uint64_t generation) MUST_USE;

#endif
