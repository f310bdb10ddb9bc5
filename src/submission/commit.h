/*
 * commit: from complete content to the queue's word that it is durable.
 */
#ifndef SUBMISSION_COMMIT_H
#define SUBMISSION_COMMIT_H

#include "submission/state.h"

/* The content is complete, or a fault was found in it: refuses it, or asks the queue.  The
 * transaction is over either way. */
enum session_step commit_begin(struct session *s);

#endif
