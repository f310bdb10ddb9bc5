/*
 * crlf_check: checks that each line of a text ends with CRLF and that the text contains no NUL.
 * The text comes in blocks that may be cut anywhere.
 */
#ifndef BASE_CRLF_CHECK_H
#define BASE_CRLF_CHECK_H

#include "base/str.h"

enum crlf_fault { CRLF_BARE_LF = 1, CRLF_BARE_CR = 2, CRLF_NUL = 4 };

/* All zeros: nothing has been added yet. */
struct crlf_check {
	bool after_cr;
	unsigned faults;
};

/* Checks the next block. */
void crlf_check_add(struct crlf_check *c, struct str in);
/* The faults, as bits of enum crlf_fault.  A CR at the very end is a fault too. */
unsigned crlf_check_end(struct crlf_check *c);

#endif
