/*
 * set_aside: takes a message out of the log whose envelope cannot be decoded, and keeps its bytes
 * in a file of its own for a person to examine: ID-N.aside, and the body file, if it has one, as
 * ID-N.body.aside.  The sender gets no report: only the log names the message.
 */
#ifndef SPOOL_SET_ASIDE_H
#define SPOOL_SET_ASIDE_H

#include "spool/spool_internal.h"

/*
 * r: the message's record.  When the file is durable, all recipients are settled without a report.
 * When the file cannot be written the message stays in the log, and the next start tries again.
 * Both are logged.
 */
void set_aside_message(struct spool *s, struct stored_message *i, const struct frame_entry *r);

#endif
