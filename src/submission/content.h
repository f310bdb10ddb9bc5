/*
 * content: the DATA command, and the message content of DATA and BDAT: up to the size of one packet
 * it is in memory, beyond that in a file that the queue opened. Here it is checked and written to
 * that file; content_commit repairs the header and commits the message.
 */
#ifndef SUBMISSION_CONTENT_H
#define SUBMISSION_CONTENT_H

#include "submission/session_internal.h"

/* A disk that works at one write for so long is taken as stalled. */
enum { CONTENT_WRITING_MS = 30000 };

/* The DATA command, and its content. */
session_verb_fn content_data;
session_read_fn content_read;
/* Begins the content of a message; is_chunked: by BDAT. */
void content_begin(struct session *s, bool is_chunked);
/* How many more bytes may be taken at once. No bound after a fault, when content is discarded. */
size_t content_room(const struct session *s);
/* The buffer had `before` bytes when reading began, or a chunk is complete: continues as far as
 * possible. */
enum session_step content_continue(struct session *s, size_t before);
/* The message will be refused for this fault; from now on its content is discarded. */
void content_fail(struct session *s, const char *reason, const struct smtp_status *status);
/* The same for a bare CR or LF. */
void content_fail_bare(struct session *s);
/* The refusal when too many files wait to be closed. */
struct smtp_status content_file_unavailable(void);
/* True when all of the content is where the queue can commit it; else the rest is being written to
 * the file. */
bool content_flush(struct session *s);
/* WAIT: no input is taken until a write has ended. */
enum session_step content_wait(struct session *s);
/* The deadline of content_wait has passed. WAIT: the disk makes progress, and a new deadline was
 * set. Otherwise the message is refused and the wait is over. */
enum session_step content_expired(struct session *s);
/* A write has ended; fault: NULL, or why it failed. */
void content_written(struct session *s, const struct smtp_status *fault);
/* Ends the wait. */
enum session_step content_resume(struct session *s);
/* Forgets the content; the session is ready for another message. */
void content_clear(struct session *s);

#endif
