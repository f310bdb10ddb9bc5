/*
 * replay_refuse: the log lines of a start that is refused because of a file of the spool, and the
 * rule for which errors are damage that a start may accept.
 */
#ifndef SPOOL_REPLAY_REFUSE_H
#define SPOOL_REPLAY_REFUSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* May a start that accepts damage go on after this error?  A shortage of the machine (EMFILE,
 * ENOMEM), or a wrong mode or owner (EACCES, EPERM), is no damage. */
bool replay_may_accept(int error);
/* Logs, with errno, why the start is refused, and what to do.  Returns -1, with the same errno.
 * what: a phrase that follows the name, like "cannot be opened". */
int replay_refuse_for(const char *name, const char *what) MUST_USE;
/* The same for a read: "cannot be read at offset N". */
int replay_refuse(const char *name, uint64_t offset) MUST_USE;
/* The same for what only a newer version can read: EPROTO. */
int replay_refuse_version(const char *name, uint64_t offset, uint32_t version) MUST_USE;

#endif
