/*
 * spool_fault: the texts of the spool's own faults; errors of the system get the text of strerror.
 */
#include "spool/spool_fault.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error_text.h"
#include "spool/spool_names.h"

const char *
spool_fault_text(int error)
{
	switch (error) {
	case SPOOL_FAULT_MISREAD:
		return "its checksum is wrong at this read, the disk reported no error";
	case EBADMSG:
		return "the bytes there are not what was stored: their checksum is wrong";
	case SPOOL_FAULT_BODY_MISSING:
		return "the body file is missing";
	case SPOOL_FAULT_BODY_TRUNCATED:
		return "the body file has not the size that was stored";
	default:
		return error_text(error);
	}
}

const char *
spool_fault_of_body(int error)
{
	switch (error) {
	case SPOOL_FAULT_BODY_MISSING:
		return "is missing";
	case SPOOL_FAULT_BODY_TRUNCATED:
		return "is not whole";
	case EBADMSG:
		return "is not what was stored";
	default:
		return NULL;
	}
}

const char *
spool_fault_held_reason(struct msgid id, int error, char out[SPOOL_FAULT_HELD_REASON_BYTES])
{
	const char *wrong = spool_fault_of_body(error);
	char name[SPOOL_NAMES_BYTES];

	if (wrong)
		snprintf(out, SPOOL_FAULT_HELD_REASON_BYTES, "damaged: the body file %s %s",
		    spool_names_body(id, name), wrong);
	else
		snprintf(out, SPOOL_FAULT_HELD_REASON_BYTES,
		    "damaged: what was stored of it is not whole");
	return out;
}
