/*
 * content: DATA, and what happens to content however it came: kept in memory up to one packet,
 * beyond in a file of the queue; checked, repaired, committed.
 */
#ifndef SUBMISSION_CONTENT_H
#define SUBMISSION_CONTENT_H

#include "submission/session_internal.h"

enum { CONTENT_WRITING_MS = 30000 }; /* a disk that is at one piece for so long stands still */

session_verb_fn content_data;
session_read_fn content_read;
void content_begin(struct session *s, bool is_chunked);
/* How many more bytes may be taken in one go; 0: no bound (nothing is kept). */
size_t content_room(const struct session *s);
/* Bytes were added to the buffer since it held `before`, or a piece ended: goes on as far as
 * possible. */
enum session_step content_continue(struct session *s, size_t before);
/* From now on nothing is kept. */
void content_fail(struct session *s, const char *reason, const struct smtp_status *status);
void content_fail_bare(struct session *s);
/* Too many files wait to be closed. */
struct smtp_status content_file_unavailable(void);
/* Is all of it where the queue can commit it?  If not, the rest is on its way into the file. */
bool content_flush(struct session *s);
/* WAIT: nothing is taken until a piece is written. */
enum session_step content_wait(struct session *s);
/* It took CONTENT_WRITING_MS or longer.  WAIT: the disk moves, and a new deadline was set; else the
 * message is lost and the wait is over. */
enum session_step content_expired(struct session *s);
/* A piece was written; else `fault` says why not. */
void content_written(struct session *s, const struct smtp_status *fault);
/* The wait is over. */
enum session_step content_resume(struct session *s);
void content_clear(struct session *s);

#endif
