/*
 * authserv: the server name of an Authentication-Results field, which names the host that made the
 * field (RFC 8601).
 */
#ifndef MAIL_AUTHSERV_H
#define MAIL_AUTHSERV_H

#include "base/str.h"

/* body: of an Authentication-Results field. False only when it begins, after comments and blanks,
 * with a complete name (an ASCII token, or one in quotes) that differs from `hostname`, case and a
 * final dot ignored. True when no such name can be read, or when the name is not ASCII: another
 * reader may take it for `hostname`. */
bool authserv_may_be(struct str body, struct str hostname);

#endif
