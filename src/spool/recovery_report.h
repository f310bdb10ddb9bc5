/*
 * recovery_report: says what the log holds to whom the spool is opened for.
 */
#ifndef SPOOL_RECOVERY_REPORT_H
#define SPOOL_RECOVERY_REPORT_H

#include "spool/spool_internal.h"

/* Messages whose envelope means nothing to the one who was told. */
struct recover_tell {
	struct msgid *strange;
	size_t count;
	size_t cap;
};

/* Changes nothing.  -1 with errno, told: one cannot be read. */
int recover_tell_all(struct spool *s, const struct spool_recovery *r,
    struct recover_tell *out) MUST_USE;
/* The strange ones are set aside (spool/set_aside.h). */
void recover_tell_aside(struct spool *s, const struct recover_tell *t);
void recover_tell_clear(struct recover_tell *t);

#endif
