/*
 * recovery_bodies: checks that the body files of the messages in the log exist, and removes or
 * renames the other body files.  A message whose body is damaged is put on hold, not refused.  The
 * check changes nothing on the disk; the changes follow when the start goes on.
 */
#ifndef SPOOL_RECOVERY_BODIES_H
#define SPOOL_RECOVERY_BODIES_H

#include "spool/spool_internal.h"

struct recovery_bodies {
	/* the *.body names in the directory, each with its own name, owned, as the value */
	struct map *files;
	struct buf to_restore;           /* names to be restored from *.lost, each with its NUL */
};

/* How many names are those of bodies of messages, so that messages were stored. */
unsigned recovery_bodies_count(const struct recovery_bodies *b);
/*
 * Takes the files of messages out of b->files.  A message whose file is missing or damaged is put
 * on hold, with the reason; but one whose body an earlier start renamed to *.lost is to get it
 * back.  -1 with errno, logged: a file exists and cannot be inspected.
 */
int recovery_bodies_check(struct spool *s, struct recovery_bodies *b) MUST_USE;
/* Renames these files, when all is read, and logs each. */
void recovery_bodies_restore(struct spool *s, const struct recovery_bodies *b);
/* Removes the files that are left; or renames them to *.lost and logs each, if records are missing
 * or it is not certain (is_whole) that none are. */
void recovery_bodies_tidy(struct spool *s, struct recovery_bodies *b, bool is_whole);

#endif
