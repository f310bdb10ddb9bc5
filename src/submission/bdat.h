/*
 * bdat: BDAT (RFC 3030).  Whatever goes wrong, the octets announced are eaten exactly.
 */
#ifndef SUBMISSION_BDAT_H
#define SUBMISSION_BDAT_H

#include "submission/session_internal.h"

session_verb_fn bdat_command, bdat_discard_command;
session_read_fn bdat_read, bdat_read_discarded;
/* All octets of the chunk are here. */
enum session_step bdat_end(struct session *s);

#endif
