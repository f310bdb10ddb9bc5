/*
 * dropped: the last word about what reached neither its recipient nor somebody who could be told.
 */
#ifndef QUEUE_DROPPED_H
#define QUEUE_DROPPED_H

#include "queue/queued.h"

/* The entry has come to its end: a line, if recipients failed and nobody is told of it. */
void dropped_log(const struct queued_message *e);

#endif
