/*
 * dsn_original: the last part of a report: the original message, in a form that every host accepts.
 */
#ifndef QUEUE_REPORTS_DSN_ORIGINAL_H
#define QUEUE_REPORTS_DSN_ORIGINAL_H

#include "queue/reports/dsn_write.h"

enum dsn_original {
	DSN_ORIGINAL_NONE,    /* it is lost */
	DSN_ORIGINAL_WHOLE,   /* unchanged: message/rfc822, or message/global in a UTF-8 report */
	DSN_ORIGINAL_HEADER,  /* its header; 8-bit text encoded where necessary */
	DSN_ORIGINAL_ENCODED, /* the whole message in base64, in a UTF-8 report */
};

/* Chooses the form; *is_unfit_out: the header only, because not every host accepts the body. */
enum dsn_original dsn_original_form(const struct dsn_writer *w, bool *is_unfit_out);
/* Writes the part, with its own header. */
void dsn_original(struct dsn_writer *w, enum dsn_original form);

#endif
