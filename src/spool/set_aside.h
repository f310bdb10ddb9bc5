/*
 * set_aside: takes a message out of the log whose envelope nobody understands, and keeps its bytes
 * in a file of its own for a person: ID-N.aside, and the body file, if it has one, as
 * ID-N.body.aside.
 */
#ifndef SPOOL_SET_ASIDE_H
#define SPOOL_SET_ASIDE_H

#include "spool/spool_internal.h"

/*
 * r: the message's record.  Once the file is durable, all recipients are settled without a word to
 * anyone.  When the file cannot be written the message stays in the log, and the next start tries
 * again.  Both are told.
 */
void set_aside_message(struct spool *s, struct stored_message *i, const struct frame_entry *r);

#endif
