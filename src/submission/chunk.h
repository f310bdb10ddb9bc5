/*
 * chunk: BDAT (RFC 3030).  Whatever goes wrong, the octets announced are eaten exactly.
 */
#ifndef SUBMISSION_CHUNK_H
#define SUBMISSION_CHUNK_H

#include "submission/state.h"

verb_fn chunk_bdat, chunk_astray;
read_fn chunk_read, chunk_read_astray;
/* All octets of the chunk are here. */
enum session_step chunk_end(struct session *s);

#endif
