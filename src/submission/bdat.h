/*
 * bdat: BDAT (RFC 3030).  Whatever goes wrong, the octets announced are eaten exactly.
 */
#ifndef SUBMISSION_BDAT_H
#define SUBMISSION_BDAT_H

#include "submission/session_internal.h"

verb_fn chunk_bdat, chunk_astray;
read_fn chunk_read, chunk_read_astray;
/* All octets of the chunk are here. */
enum session_step chunk_end(struct session *s);

#endif
