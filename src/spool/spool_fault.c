/*
 * spool_fault: see the header.
 */
#include "spool/spool_fault.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "spool/writer.h"

const char *
finding_text(int error)
{
	switch (error) {
	case FINDING_MISREAD:
		return "its checksum is wrong at this read, the disk told no error";
	case EBADMSG:
		return "what stands there is not what was stored: its checksum is wrong";
	case FINDING_BODY_MISSING:
		return "the body file is missing";
	case FINDING_BODY_CUT:
		return "the body file has not the size that was stored";
	default:
		return strerror(error);
	}
}

const char *
finding_of_body(int error)
{
	switch (error) {
	case FINDING_BODY_MISSING:
		return "is missing";
	case FINDING_BODY_CUT:
		return "is not whole";
	case EBADMSG:
		return "is not what was stored";
	default:
		return NULL;
	}
}

const char *
finding_held_why(struct msgid id, int error, char room[FINDING_HELD_WHY_BYTES])
{
	const char *wrong = finding_of_body(error);
	char name[WRITER_FILE_NAME_BYTES];

	if (wrong)
		snprintf(room, FINDING_HELD_WHY_BYTES, "damaged: the body file %s %s",
		    writer_file_name(id, name), wrong);
	else
		snprintf(room, FINDING_HELD_WHY_BYTES,
		    "damaged: what was stored of it is not whole");
	return room;
}
