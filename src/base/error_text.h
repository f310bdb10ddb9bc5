/*
 * error_text: the text of an errno for messages that an administrator reads.  A lack of descriptors
 * has its remedy with it, in the same words wherever it is reported.
 */
#ifndef BASE_ERROR_TEXT_H
#define BASE_ERROR_TEXT_H

#include <stdbool.h>

/* What to do about EMFILE; what may be lowered instead follows it. */
#define ERROR_TEXT_RAISE \
	"raise the limit (LimitNOFILE= in the unit, \"ulimit -Hn\" in a shell) or lower "

/* As strerror, from any thread, and with the remedy behind it where there is one. */
const char *error_text(int error);
/* The remedy, with ": " before it; empty: there is none. */
const char *error_text_remedy(int error);
/* True if descriptors are lacking: in this process, in the machine, or on their way to another
 * process. */
bool error_text_is_descriptors(int error);

#endif
