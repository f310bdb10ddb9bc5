/*
 * content_input: takes the content of a message while it comes, checks its octets, and has a body
 * that is too large for one packet written to a file that the queue opened. The readers, smtpd_data
 * and bdat, decode the octets and know where the content ends. They are called again, without
 * input, after each wait.
 */
#ifndef SUBMISSION_CONTENT_INPUT_H
#define SUBMISSION_CONTENT_INPUT_H

#include "submission/session_internal.h"

/* A disk that works at one write for so long is taken as stalled. */
enum { CONTENT_INPUT_WRITING_MS = 30000 };

/* Begins the content of a message. */
void content_input_begin(struct session *s);
/* The octets at the front of `in` that may be decoded at once into content_part_bytes; all of them
 * after a fault, when content is discarded. */
struct str content_input_next(const struct session *s, struct str in);
/* That part had `before` bytes when decoding began: checks the new ones. WAIT: no input is taken
 * until the file is open, or the last full piece is written. */
enum session_step content_input_continue(struct session *s, size_t before);
/* The message will be refused for a bare CR or LF; from now on its content is discarded. */
void content_input_fail_bare(struct session *s);
/* All of the content was decoded. NEXT: it is where the queue can commit it, or it is discarded
 * after a fault. WAIT: the rest is being written to the file. */
enum session_step content_input_end(struct session *s);

/* A write has ended; fault: NULL, or why it failed. */
void content_input_written(struct session *s, const struct smtp_status *fault);
/* The deadline of a write has passed. False: the disk makes progress, and a new deadline was set.
 * Otherwise the message will be refused. */
bool content_input_fails_late(struct session *s);
/* Ends the wait for a write: returns to the state of the reader. */
void content_input_resume(struct session *s);

#endif
