/*
 * admin_changes: hold, release and delete, and retry, which stores nothing.  A change is appended
 * to the spool first; only when it is durable the queue itself changes, and the operator hears the
 * id. What could not be stored leaves the message as it was, and is counted in errand->failed.
 */
#ifndef QUEUE_ADMIN_CHANGES_H
#define QUEUE_ADMIN_CHANGES_H

#include "queue/admin_command.h"

void changes_retry(struct errand *errand, struct entry *e);
void changes_hold(struct errand *errand, struct entry *e);
/* A message that was stored a moment ago, in the book as one that is held: nothing of it is
 * scheduled unless its hold cannot be stored. */
void changes_hold_new(struct errand *errand, struct entry *e);
/* "operator: phished": never to be taken for a hold because of damage. */
struct str changes_hold_why(const struct errand *errand, struct buf *room);
/* Every hold of it, or one for errand->held_for: the operator's with this reason, or with one that
 * begins so and goes on behind a colon. */
void changes_release(struct errand *errand, struct entry *e);
/* Of why it is, or will be, held: is that errand->held_for? */
bool changes_is_held_for(const struct errand *errand, struct str why);
/* Nothing of it is owed any more afterwards, no report either. */
void changes_delete(struct errand *errand, struct entry *e);
bool changes_would_retry(const struct errand *errand, const struct entry *e);
bool changes_would_hold(const struct errand *errand, const struct entry *e);
bool changes_would_release(const struct errand *errand, const struct entry *e);
bool changes_would_delete(const struct errand *errand, const struct entry *e);
/* A hold behind a release, or the other way round, looks at no message until what the other one
 * changed is stored: the last command counts. */
bool changes_wait_for_others(const struct errand *errand);
/* The queue ends: nothing more will become durable. */
void changes_forget(struct errand *errand);

#endif
