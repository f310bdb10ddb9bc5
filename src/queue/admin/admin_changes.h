/*
 * admin_changes: hold, release, delete, and retry, which stores nothing.  A change is stored first,
 * together with those of other messages (queue/admin/admin_batches.h).  Only when it is durable the
 * queue is changed and the operator gets the id of the message.  When it cannot be stored the
 * message stays as it was and is counted in command->failed.  The message may be freed by each of
 * these functions, at once or later.
 */
#ifndef QUEUE_ADMIN_ADMIN_CHANGES_H
#define QUEUE_ADMIN_ADMIN_CHANGES_H

#include "queue/admin/admin_command.h"

void admin_changes_retry(struct admin_command *command, struct queued_message *e);
/* Also takes over a hold because of a suspension or of damage: the message has the reason of this
 * command from then on, and only a release ends the hold.  A suspension takes over nothing. */
void admin_changes_hold(struct admin_command *command, struct queued_message *e);
/* For a message that was stored a moment ago and is queued as held: none of its deliveries is
 * scheduled unless the hold cannot be stored. */
void admin_changes_hold_new(struct admin_command *command, struct queued_message *e);
/* "operator: phished"; it can never be confused with a hold because of damage. */
struct str admin_changes_hold_why(const struct admin_command *command, struct buf *room);
/* Ends every hold, or with command->held_for only the operator's holds with this reason, or with a
 * reason that begins so and goes on after a colon. */
void admin_changes_release(struct admin_command *command, struct queued_message *e);
/* why: the reason of a hold.  Is it held_for, or does it go on after a colon? */
bool admin_changes_is_held_for(struct str held_for, struct str why);
/* Settles every recipient; no report is owed any more afterwards. */
void admin_changes_delete(struct admin_command *command, struct queued_message *e);
bool admin_changes_would_retry(const struct admin_command *command, const struct queued_message *e);
bool admin_changes_would_hold(const struct admin_command *command, const struct queued_message *e);
bool admin_changes_would_release(
    const struct admin_command *command, const struct queued_message *e);
bool admin_changes_would_delete(
    const struct admin_command *command, const struct queued_message *e);
/* Called for each command when it is given.  A hold and a release act one after the other, in the
 * order in which they were given, so that the last one decides.  An earlier one for which this
 * command has to wait goes on from now on although its client does not read its rows. */
void admin_changes_begin(struct admin_command *command);
/* True: an earlier hold or release is not at its end, or not durable.  The
 * command looks at no message before. */
bool admin_changes_wait_for_others(const struct admin_command *command);

#endif
