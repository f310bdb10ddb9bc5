/*
 * authserv: who an Authentication-Results field says has made it (RFC 8601).
 */
#ifndef MAIL_AUTHSERV_H
#define MAIL_AUTHSERV_H

#include "base/str.h"

/* body: of an Authentication-Results field.  False only when it begins, behind comments and blanks,
 * with a whole name (an ASCII token, or one in quotes) that is not `hostname`, case and a final dot
 * aside.  What cannot be read so, a name beyond ASCII too, may be taken for ours by another reader:
 * true. */
bool authserv_may_be(struct str body, struct str hostname);

#endif
