/*
 * dropped: the log line about failed recipients of which no person is informed.
 */
#ifndef QUEUE_REPORTS_DROPPED_H
#define QUEUE_REPORTS_DROPPED_H

#include "queue/queued.h"

/* Called when the message leaves the queue: writes a line when recipients failed and no report
 * about them is sent. */
void dropped_log(const struct queued_message *e);

#endif
