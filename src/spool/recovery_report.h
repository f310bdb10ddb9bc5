/*
 * recovery_report: passes the messages and notes of the log to the user of the spool, and sets
 * aside the messages whose envelope the user cannot decode.  It runs after the whole log was read.
 */
#ifndef SPOOL_RECOVERY_REPORT_H
#define SPOOL_RECOVERY_REPORT_H

#include "spool/kept_envelopes.h"
#include "spool/spool_internal.h"

/* The messages whose envelope was not understood. */
struct recovery_report {
	struct msgid *not_understood;
	size_t count;
	size_t cap;
};

/* Calls r for each message and note; changes nothing in the directory.  -1 with errno, logged: a
 * message cannot be read. */
int recovery_report_all(struct spool *s, const struct spool_recovery *r,
    struct kept_envelopes *envelopes, struct recovery_report *out) MUST_USE;
/* Sets aside the messages that were not understood (spool/set_aside.h). */
void recovery_report_set_aside(struct spool *s, const struct recovery_report *t);
/* Frees the list. */
void recovery_report_clear(struct recovery_report *t);

#endif
