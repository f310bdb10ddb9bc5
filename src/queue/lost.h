/*
 * lost: a message whose stored record cannot be read any more.  What can still be read of the
 * record is written to ID-N.aside, durably, and a record without content takes its place in the
 * log, in one frame with the state of each recipient, so that the segment can be freed
 * (doc/adr/0030-content-lost.md).
 */
#ifndef QUEUE_LOST_H
#define QUEUE_LOST_H

#include "queue/spool.h"

enum { LOST_AFTER_MS = 3600 * 1000 }; /* a message that cannot be read for so long is lost */

/*
 * Compaction met a message that is lost.  error: EBADMSG: it did not fit its checksum twice in a
 * row; else it could not be read for LOST_AFTER_MS, while another part of its segment can be.  The
 * callee calls lost_put, or it is called again later.
 */
typedef void lost_found_fn(struct msgid id, int error, void *arg);
void lost_listen(struct spool *s, lost_found_fn *fn, void *arg);

struct lost {
	struct msgid id;
	int error;                       /* as lost_found_fn; EBADMSG must be proven, else EAGAIN */
	struct str envelope;             /* as the caller still knows it */
	const struct spool_recipient *ends; /* the new states of these recipients */
	size_t count;
	spool_done_fn *fn;
	void *arg;
};

/*
 * 0: fn will be called; 0 there: the message is without content, durably.  -1 with errno, and
 * nothing has changed: EEXIST the record can be read after all, EBUSY something of the message is
 * being stored, ENOENT no such message, EAGAIN too much is waiting, or the damage is not proven;
 * else the file could not be written, which is logged.
 */
int lost_put(struct spool *s, const struct lost *l) MUST_USE;

#endif
