/*
 * last_attempt: how the spool stores the last attempt of a recipient, beside its state.
 */
#ifndef QUEUE_LAST_ATTEMPT_H
#define QUEUE_LAST_ATTEMPT_H

#include "base/buf.h"
#include "mail/smtp_status.h"

struct last_attempt {
	struct smtp_status status; /* is_remote is false too when version 0.1.0 wrote it: unknown */
	struct str reason;
	struct str host, address; /* of the remote host; empty: none was tried */
	int64_t at_ms;    /* of its own last attempt; 0: none */
	int64_t found_ms; /* when an attempt for another message got the status; 0: its own did */
};

/* At most SPOOL_DETAIL_MAX bytes. */
void last_attempt_encode(const struct last_attempt *attempt, struct buf *out);
/* Accepts any bytes; missing values are empty.  Strings point into bytes. */
void last_attempt_decode(struct str bytes, struct last_attempt *out);

#endif
