/*
 * dsn_text: the part of a report that people read.
 */
#ifndef QUEUE_REPORTS_DSN_TEXT_H
#define QUEUE_REPORTS_DSN_TEXT_H

#include "queue/reports/dsn_write.h"

/* is_whole: the message is attached, else its header, or nothing; is_unfit: the body is left out
 * because not every host accepts it. */
struct dsn_text {
	bool is_whole, is_unfit;
};

void dsn_text(struct dsn_writer *w, const struct dsn_text *t);
/* "Undelivered mail returned to sender" */
const char *dsn_subject(const struct dsn_writer *w);

#endif
