/*
 * last_attempt: what is kept of a recipient's last attempt beside its state, in the spool.
 */
#ifndef QUEUE_LAST_ATTEMPT_H
#define QUEUE_LAST_ATTEMPT_H

#include "base/buf.h"
#include "mail/smtp_status.h"

struct last_attempt {
	struct smtp_status status; /* is_remote is false too in what version 0.1.0 wrote: unknown */
	struct str reason;
	struct str host, address; /* of the other side; empty: none was asked */
	int64_t at_ms;    /* of its own last attempt; 0: none */
	int64_t found_ms; /* when the status was found out by another message's attempt; 0: not */
};

/* At most SPOOL_DETAIL_MAX bytes. */
void last_attempt_encode(const struct last_attempt *d, struct buf *out);
/* Total; what is missing is empty.  Strings point into bytes. */
void last_attempt_decode(struct str bytes, struct last_attempt *out);

#endif
