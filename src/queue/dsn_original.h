/*
 * dsn_original: the last part of a report: what was sent, as far as every host can carry it.
 */
#ifndef QUEUE_DSN_ORIGINAL_H
#define QUEUE_DSN_ORIGINAL_H

#include "queue/dsn_write.h"

enum dsn_original {
	DSN_ORIGINAL_NONE,    /* it is lost */
	DSN_ORIGINAL_WHOLE,   /* as it is: message/rfc822, or message/global in a report of UTF-8 */
	DSN_ORIGINAL_HEADER,  /* its header; 8-bit text in it encoded where it must be */
	DSN_ORIGINAL_ENCODED, /* a report of UTF-8, whole, in base64 */
};

/* How it is returned; *is_unfit_out: its header only, because its body cannot travel everywhere. */
enum dsn_original dsn_original_form(const struct dsn_writer *w, bool *is_unfit_out);
/* The part, with its own header. */
void dsn_original(struct dsn_writer *w, enum dsn_original form);

#endif
