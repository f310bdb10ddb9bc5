/*
 * content_commit: from complete content to the queue's word that it is durable.
 */
#ifndef SUBMISSION_CONTENT_COMMIT_H
#define SUBMISSION_CONTENT_COMMIT_H

#include "submission/session_internal.h"

/* The content is complete, or a fault was found in it: refuses it, or asks the queue.  The
 * transaction is over either way. */
enum session_step content_commit_begin(struct session *s);

#endif
