/*
 * recover_bodies: are the body files there that the log speaks of, and what becomes of the others.
 */
#ifndef QUEUE_RECOVER_BODIES_H
#define QUEUE_RECOVER_BODIES_H

#include "queue/store.h"

/*
 * files: the *.body names that the directory holds, each with its own name, owned, as value; those
 * of messages are taken out.  A message whose file is missing or not whole is held: why says it.
 * -1 with errno, told: a file is there and cannot be looked at.
 */
int recover_bodies_check(struct spool *s, struct map *files) MUST_USE;
/* Removes the files that are left; or keeps them as *.lost, told, where records are missing, or
 * where it is not sure that none are (is_whole). */
void recover_bodies_tidy(struct spool *s, struct map *files, bool is_whole);

#endif
