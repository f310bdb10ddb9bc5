/*
 * recovery_bodies: are the body files there that the log speaks of, and what becomes of the others.
 */
#ifndef SPOOL_RECOVERY_BODIES_H
#define SPOOL_RECOVERY_BODIES_H

#include "spool/spool_internal.h"

struct recovery_bodies {
	/* the *.body names that the directory holds, each with its own name, owned, as value */
	struct map *files;
	struct buf to_restore;           /* names of those to be taken back, each with its NUL */
};

/* How many names are such as the spool gives to bodies of messages: they were stored. */
unsigned recovery_bodies_count(const struct recovery_bodies *b);
/*
 * Those of messages are taken out of the files.  A message whose file is missing or not whole is
 * held: why says it; but one whose body an earlier start kept as *.lost is to get it back.
 * -1 with errno, told: a file is there and cannot be looked at.
 */
int recovery_bodies_check(struct spool *s, struct recovery_bodies *b) MUST_USE;
/* Renames these, when all is read, and tells it. */
void recovery_bodies_restore(struct spool *s, const struct recovery_bodies *b);
/* Removes the files that are left; or keeps them as *.lost, told, where records are missing, or
 * where it is not sure that none are (is_whole). */
void recovery_bodies_tidy(struct spool *s, struct recovery_bodies *b, bool is_whole);

#endif
