/*
 * answer: applies what the writer made durable, reads what was asked for, and tells the callers.
 */
#ifndef QUEUE_ANSWER_H
#define QUEUE_ANSWER_H

#include "queue/store.h"

struct reading {
	struct reading *next;
	struct msgid id;
	spool_content_fn *fn;
	void *arg;
};

void answer_all(struct spool *s);

#endif
