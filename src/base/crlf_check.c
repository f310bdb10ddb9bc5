/*
 * crlf_check: from one block to the next only the faults and a CR at the end are remembered. Faults
 * are collected and never taken back; what follows from them the caller decides. A CR as the last
 * octet of the text is seen only by crlf_check_end, so the result before that is not complete.
 */
#include "base/crlf_check.h"

/* Checks the control character at in.p[i], where in.p[i - 1] is no CR; returns the next index. */
static size_t
check_control_octet(struct crlf_check *c, struct str in, size_t i)
{
	if (in.p[i] == '\r' && i + 1 == in.n)
		c->after_cr = true;
	else if (in.p[i] == '\r' && in.p[i + 1] == '\n')
		return i + 2;
	else if (in.p[i] == '\r')
		c->faults |= CRLF_BARE_CR;
	else if (in.p[i] == '\n')
		c->faults |= CRLF_BARE_LF;
	else if (in.p[i] == '\0')
		c->faults |= CRLF_NUL;
	return i + 1;
}

void
crlf_check_add(struct crlf_check *c, struct str in)
{
	size_t i = 0;

	if (in.n == 0)
		return;
	if (c->after_cr && in.p[0] == '\n')
		i = 1;
	else if (c->after_cr)
		c->faults |= CRLF_BARE_CR;
	c->after_cr = false;
	while ((i = str_find_control(in, i)) < in.n)
		i = check_control_octet(c, in, i);
}

unsigned
crlf_check_end(struct crlf_check *c)
{
	if (c->after_cr)
		c->faults |= CRLF_BARE_CR;
	return c->faults;
}
