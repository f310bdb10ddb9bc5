/*
 * spool_fault: errors that the spool itself finds while the system reports none, and the texts for
 * both kinds.  An operator who reads "Input/output error" examines the disk: so the text of
 * strerror is used only for errors of the system.
 */
#ifndef SPOOL_SPOOL_FAULT_H
#define SPOOL_SPOOL_FAULT_H

#include "base/id.h"

enum { SPOOL_FAULT_HELD_REASON_BYTES = 128 };

/* Values beside errno, whose numbers end before.  EBADMSG means that a checksum is wrong
 * permanently. */
enum spool_fault {
	SPOOL_FAULT_MISREAD = 4096, /* the checksum of a record was wrong in this read */
	SPOOL_FAULT_BODY_MISSING,   /* the body file does not exist ... */
	SPOOL_FAULT_BODY_TRUNCATED, /* ... or has another size */
};

/* The text of an errno or a fault. */
const char *spool_fault_text(int error);
/* For BODY_MISSING, BODY_TRUNCATED or EBADMSG (its blocks do not match their checksums): what is
 * wrong with a body file, a phrase that follows its name.  Otherwise NULL. */
const char *spool_fault_of_body(int error);
/* The reason why a message is on hold after such an error: "damaged: the body file ID.body is
 * missing". */
const char *spool_fault_held_reason(
    struct msgid id, int error, char out[SPOOL_FAULT_HELD_REASON_BYTES]);

#endif
