/*
 * spool_names: each name begins with the id of the message.
 */
#include "spool/spool_names.h"

#include <stdio.h>

char *
spool_names_body(struct msgid id, char out[SPOOL_NAMES_BYTES])
{
	char text[ID_TEXT_BYTES];

	snprintf(out, SPOOL_NAMES_BYTES, "%s-%u.body", id_text(id.session, text), id.number);
	return out;
}

char *
spool_names_aside(struct msgid id, char out[SPOOL_NAMES_BYTES])
{
	char text[ID_TEXT_BYTES];

	snprintf(out, SPOOL_NAMES_BYTES, "%s-%u.aside", id_text(id.session, text), id.number);
	return out;
}

char *
spool_names_aside_body(struct msgid id, char out[SPOOL_NAMES_BYTES])
{
	char text[ID_TEXT_BYTES];

	snprintf(out, SPOOL_NAMES_BYTES, "%s-%u.body.aside", id_text(id.session, text), id.number);
	return out;
}
