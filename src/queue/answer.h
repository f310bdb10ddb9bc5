/*
 * answer: applies what the writer made durable, and tells the callers.
 */
#ifndef QUEUE_ANSWER_H
#define QUEUE_ANSWER_H

#include "queue/store.h"

void answer_commits(struct spool *s);

#endif
