/*
 * spool_names: the names of the files that belong to one message, in the directory of the spool.
 */
#ifndef SPOOL_SPOOL_NAMES_H
#define SPOOL_SPOOL_NAMES_H

#include "base/id.h"

enum { SPOOL_NAMES_BYTES = 48 };        /* of a name, with its NUL */

/* Writes the name of the body file, "1R8K3M7Q4TB2-1.body"; returns out. */
char *spool_names_body(struct msgid id, char out[SPOOL_NAMES_BYTES]);
/* "1R8K3M7Q4TB2-1.aside", "1R8K3M7Q4TB2-1.body.aside"; both return out. */
char *spool_names_aside(struct msgid id, char out[SPOOL_NAMES_BYTES]);
char *spool_names_aside_body(struct msgid id, char out[SPOOL_NAMES_BYTES]);

#endif
