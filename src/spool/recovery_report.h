/*
 * recovery_report: says what the log holds to whom the spool is opened for.
 */
#ifndef SPOOL_RECOVERY_REPORT_H
#define SPOOL_RECOVERY_REPORT_H

#include "spool/spool_internal.h"

/* Messages whose envelope means nothing to the one who was told. */
struct recovery_report {
	struct msgid *not_understood;
	size_t count;
	size_t cap;
};

/* Changes nothing.  -1 with errno, told: one cannot be read. */
int recovery_report_all(struct spool *s, const struct spool_recovery *r,
    struct recovery_report *out) MUST_USE;
/* The strange ones are set aside (spool/set_aside.h). */
void recovery_report_set_aside(struct spool *s, const struct recovery_report *t);
void recovery_report_clear(struct recovery_report *t);

#endif
