/*
 * admin_batches: the changes of a command that are to be stored.  Those of many messages are
 * gathered and appended to the spool as one batch, which becomes durable as a whole or not at all:
 * of one message never a part.  Knows no verb: each change says what is done when it is durable.
 */
#ifndef QUEUE_ADMIN_ADMIN_BATCHES_H
#define QUEUE_ADMIN_ADMIN_BATCHES_H

#include "queue/admin/admin_command.h"

/* Changes the message when the change is durable; error: it is not durable, and the message stays
 * as it was.  False: there was nothing left to change.  The message may be freed afterwards. */
typedef bool admin_change_fn(struct admin_command *command, struct queued_message *e, int error);

/* False: the command has so many changes that are not durable that it must wait; it is woken. */
bool admin_batches_have_room(const struct admin_command *command);
/* Room for the entries of one message, which the caller fills in.  Their strings must be valid
 * until admin_batches_store. */
struct spool_entry *admin_batches_room(struct admin_command *command, size_t count);
/* The first `count` entries of that room are the change of this message. */
void admin_batches_add(
    struct admin_command *command, struct msgid id, size_t count, admin_change_fn *apply);
/* Appends what is gathered.  A change that is refused fails at once. */
void admin_batches_store(struct admin_command *command);
/* For the end of the command, or of the queue role: no change becomes durable any more. */
void admin_batches_forget(struct admin_command *command);

#endif
