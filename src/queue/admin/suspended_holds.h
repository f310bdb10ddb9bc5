/*
 * suspended_holds: a user was suspended with --hold: mail that its earlier sessions have handed
 * over, or still hand over, is held too.  A message that is being stored at the time of the command
 * is held when it is stored, and the command ends after that; a later message is stored together
 * with its hold.
 *
 * The sessions end when submission learns of the suspension, so a hold lasts only for a limited
 * time and is kept in memory: a queue process that is started again has lost all channels, and with
 * them all such messages.  A hold applies to sessions that began before the command; sessions after
 * a `user resume` are not included.
 */
#ifndef QUEUE_ADMIN_SUSPENDED_HOLDS_H
#define QUEUE_ADMIN_SUSPENDED_HOLDS_H

#include "queue/admin/admin_command.h"

struct suspended_hold;

enum {
	SUSPENDED_HOLD_MAX = 64,
	/* longer than the longest wait of submission for an answer (MESSAGE_COMMIT_MS) */
	SUSPENDED_HOLD_MS = 10 * 60 * 1000,
};

/* Adds a hold for the account of the command, if it names one and is no dry run; it replaces an
 * older hold of the account.  Without room: is_suspended_hold_refused, and suspended_hold_too_many
 * is the answer. */
void suspended_hold_add(struct admin_command *command);
extern const char suspended_hold_too_many[];
/* Called for a release.  When it covers all held mail of an account or user, or all mail that is
 * held for the reason of a hold, that hold is removed: later mail is not held any more, and the
 * command releases what is being stored with the hold at this moment. */
void suspended_hold_remove(struct admin_command *command);
/* At the end of the command: an alert with the number of messages of the suspended user that are
 * held now, by any command, and with those that are not.  Main sends a notice about the same object
 * only once a day, so each of these cases has its own object. */
void suspended_hold_alert(const struct admin_command *command);
void suspended_hold_command_ended(struct admin_command *command);
void suspended_hold_clear(struct queue *q);

/* The reason for which this message must be held; or an empty string. */
struct str suspended_hold_reason(struct queue *q, const struct queued_message *e);
/* Does the command, a hold or a release, wait for a message that is being stored? */
bool suspended_hold_awaits_message(const struct admin_command *command);
/* A message was stored, with the hold or without: queues it.  release: a command that ended its
 * hold meanwhile; or NULL. */
void suspended_hold_message_stored(
    struct queue *q, struct queued_message *e, struct admin_command *release);
/* The hold of such a message, by any command, is not stored yet. */
bool suspended_hold_is_unstored(const struct queue *q);

#endif
