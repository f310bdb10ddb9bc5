/*
 * bdat: the BDAT command (RFC 3030). After any fault, exactly the announced octets are discarded.
 */
#ifndef SUBMISSION_BDAT_H
#define SUBMISSION_BDAT_H

#include "submission/session_internal.h"

/* Begin a chunk of a transaction; a chunk without one, which is discarded and then refused. */
session_verb_fn bdat_command, bdat_discard_command;
/* Read the octets of such a chunk. */
session_read_fn bdat_read, bdat_read_discarded;

#endif
