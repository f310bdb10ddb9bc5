/*
 * header_repair: corrects faults of form in one header field, as a submission server may (RFC 6409
 * section 8): every reader that understands the field at all understands it in the same way
 * afterwards.
 */
#ifndef MAIL_HEADER_REPAIR_H
#define MAIL_HEADER_REPAIR_H

#include "mail/header.h"

/* Whether the value holds a control character other than TAB and the CRLF of folding. */
bool header_has_control(const struct header_field *f);

/* The field as it may be sent: no blanks between name and colon, each control character replaced by
 * a blank, lines over 998 octets folded at blanks where they have any (78 octets, or as few more as
 * possible), CRLF at the end. A field without such faults is returned unchanged; else the result is
 * in the arena. */
struct header_field header_repair(const struct header_field *f, struct arena *arena);

#endif
