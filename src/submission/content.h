/*
 * content: the content of a message while it comes: up to the size of one packet it is in memory,
 * beyond that in a file that the queue opened. Here it is checked and written to that file. The
 * readers, smtpd_data and bdat, add the octets and say where the content ends (content_end); then
 * content_commit has the message, and calls neither of them.
 */
#ifndef SUBMISSION_CONTENT_H
#define SUBMISSION_CONTENT_H

#include "submission/session_internal.h"

/* A disk that works at one write for so long is taken as stalled. */
enum { CONTENT_WRITING_MS = 30000 };

/* Begins the content of a message. on_chunk_end is the reader's: it is called each time that all
 * octets of a chunk were taken, and what is left of them fits in the buffer; also after a fault. */
void content_begin(struct session *s, session_chunk_fn *on_chunk_end);
/* How many more bytes may be taken at once. No bound after a fault, when content is discarded. */
size_t content_room(const struct session *s);
/* The buffer had `before` bytes when reading began, or a chunk is complete: continues as far as
 * possible. */
enum session_step content_continue(struct session *s, size_t before);
/* The message will be refused for a bare CR or LF; from now on its content is discarded. */
void content_fail_bare(struct session *s);
/* The reader has taken all of the content, or discarded it after a fault: hands the message over to
 * be committed or refused, as soon as the last write to the file has ended. The reader is not
 * called again for this message. */
session_chunk_fn content_end;
/* The deadline of a write has passed. WAIT: the disk makes progress, and a new deadline was set.
 * Otherwise the message is refused and the wait is over. */
enum session_step content_expired(struct session *s);
/* A write has ended; fault: NULL, or why it failed. */
void content_written(struct session *s, const struct smtp_status *fault);
/* Ends the wait for a write. */
enum session_step content_resume(struct session *s);

#endif
