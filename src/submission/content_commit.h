/*
 * content_commit: repairs the header of a complete message, and asks the queue to commit the
 * message.
 */
#ifndef SUBMISSION_CONTENT_COMMIT_H
#define SUBMISSION_CONTENT_COMMIT_H

#include "submission/session_internal.h"

/* The content is complete and where the queue can commit it, or it has a fault and all of it was
 * discarded: asks the queue, or refuses the message, which ends the transaction. */
enum session_step content_commit_begin(struct session *s);

#endif
