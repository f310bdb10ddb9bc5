/*
 * suspended_holds: a user was suspended with --hold: what the sessions of before have handed over,
 * or still hand over, is held too.  What is on its way into the spool at the command is held when
 * it is stored, and the command ends after that; what comes later is stored together with its hold.
 *
 * The sessions end when submission hears of the suspension, so this is for a while and in memory: a
 * queue that is started again has lost all channels, and with them all that was under way.  It
 * counts for sessions that began before the command; those after a `user resume` are others.
 */
#ifndef QUEUE_SUSPENDED_HOLDS_H
#define QUEUE_SUSPENDED_HOLDS_H

#include "queue/admin_command.h"

struct suspended_hold;

enum {
	SUSPENDED_HOLD_MAX = 64,
	/* longer than submission waits for its longest answer (MESSAGE_COMMIT_MS) */
	SUSPENDED_HOLD_MS = 10 * 60 * 1000,
};

/* The errand's account, if it names one and is no dry run, in the place of what there is of the
 * same.  There is no room: is_coming_lost; suspended_hold_too_many says so. */
void suspended_hold_add(struct admin_command *errand);
extern const char suspended_hold_too_many[];
/* Of a release of all mail that is held of an account, or user, or of all that is held for a reason
 * which is the one here: what is to come may go again too. */
void suspended_hold_remove(const struct admin_command *errand);
/* At the errand's end: the notice of a suspended user says how much of its mail is held now, by
 * whatever command, and what is not.  Main hears of the same object once in a day, so each of these
 * ends has its own. */
void suspended_hold_alert(const struct admin_command *errand);
void suspended_hold_command_ended(struct admin_command *errand);
void suspended_hold_clear(struct queue *q);

/* Is this message to be held?  Then why; else none. */
struct str suspended_hold_reason(struct queue *q, const struct queued_message *e);
/* Does the errand wait for it? */
bool suspended_hold_is_awaited(const struct admin_command *errand, const struct queued_message *e);
/* Of a message that was stored, with the hold or without: into the book. */
void suspended_hold_message_stored(struct queue *q, struct queued_message *e);
/* Another errand's hold of such a message is not stored yet. */
bool suspended_hold_is_unstored(const struct queue *q);

#endif
