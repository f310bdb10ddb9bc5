/*
 * admin_changes: hold, release and delete, and retry, which stores nothing.  A change is appended
 * to the spool first; only when it is durable the queue itself changes, and the operator hears the
 * id. What could not be stored leaves the message as it was, and is counted in errand->failed.
 */
#ifndef QUEUE_ADMIN_CHANGES_H
#define QUEUE_ADMIN_CHANGES_H

#include "queue/admin_command.h"

void admin_changes_retry(struct admin_command *errand, struct queued_message *e);
void admin_changes_hold(struct admin_command *errand, struct queued_message *e);
/* A message that was stored a moment ago, in the book as one that is held: nothing of it is
 * scheduled unless its hold cannot be stored. */
void admin_changes_hold_new(struct admin_command *errand, struct queued_message *e);
/* "operator: phished": never to be taken for a hold because of damage. */
struct str admin_changes_hold_why(const struct admin_command *errand, struct buf *room);
/* Every hold of it, or one for errand->held_for: the operator's with this reason, or with one that
 * begins so and goes on behind a colon. */
void admin_changes_release(struct admin_command *errand, struct queued_message *e);
/* Of why it is, or will be, held: is that errand->held_for? */
bool admin_changes_is_held_for(const struct admin_command *errand, struct str why);
/* Nothing of it is owed any more afterwards, no report either. */
void admin_changes_delete(struct admin_command *errand, struct queued_message *e);
bool admin_changes_would_retry(const struct admin_command *errand, const struct queued_message *e);
bool admin_changes_would_hold(const struct admin_command *errand, const struct queued_message *e);
bool admin_changes_would_release(
    const struct admin_command *errand, const struct queued_message *e);
bool admin_changes_would_delete(const struct admin_command *errand, const struct queued_message *e);
/* A hold behind a release, or the other way round, looks at no message until what the other one
 * changed is stored: the last command counts. */
bool admin_changes_wait_for_others(const struct admin_command *errand);
/* The queue ends: nothing more will become durable. */
void admin_changes_forget(struct admin_command *errand);

#endif
