/*
 * spool_fault: what the spool found wrong itself, where the system told no error, and the words for
 * both.  An operator who reads "Input/output error" looks at the disk: so strerror is for what the
 * system said.
 */
#ifndef SPOOL_SPOOL_FAULT_H
#define SPOOL_SPOOL_FAULT_H

#include "base/id.h"

enum { SPOOL_FAULT_HELD_REASON_BYTES = 128 };

/* Beside errno, whose numbers end before.  EBADMSG is that a checksum is wrong for good. */
enum spool_fault {
	SPOOL_FAULT_MISREAD = 4096, /* the checksum of a record was wrong, at this one read */
	SPOOL_FAULT_BODY_MISSING,   /* the body's file is not there ... */
	SPOOL_FAULT_BODY_TRUNCATED, /* ... or has another size */
};

/* An errno or a finding in words. */
const char *spool_fault_text(int error);
/* BODY_MISSING, BODY_CUT or EBADMSG (its blocks do not fit their checksums): what is wrong with a
 * body's file, to follow its name.  Else NULL. */
const char *spool_fault_of_body(int error);
/* Why a message is held, by such an error: "damaged: the body file ID.body is missing". */
const char *spool_fault_held_reason(
    struct msgid id, int error, char out[SPOOL_FAULT_HELD_REASON_BYTES]);

#endif
