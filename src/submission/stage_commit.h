/*
 * stage_commit: the last stage: the queue is asked to commit the message, and the client hears 250
 * only after the queue has answered that it is durable.
 */
#ifndef SUBMISSION_STAGE_COMMIT_H
#define SUBMISSION_STAGE_COMMIT_H

#include "ipc/questions.h"
#include "submission/stage.h"

enum { STAGE_COMMIT_MS = MESSAGE_COMMIT_MS + 5000 }; /* the request ends before the wait does */

/* Completes the envelope and asks the queue. */
stage_fn stage_commit;
/* answer: struct smtp_status. */
stage_answer_fn stage_committed;

#endif
