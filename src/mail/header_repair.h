/*
 * header_repair: faults of form in one header field that a submission server may mend (RFC 6409
 * section 8), because every reader that understands the field at all understands it afterwards as
 * before.
 */
#ifndef MAIL_HEADER_REPAIR_H
#define MAIL_HEADER_REPAIR_H

#include "mail/header.h"

/* The value holds a control character other than TAB and the CRLF of folding. */
bool header_has_control(const struct header_field *f);

/* The field as it may leave: no blanks between name and colon, each control character a blank,
 * lines over 998 octets folded at blanks where they have any (78 octets or as few more as
 * possible), CRLF at the end. A field without such faults comes back as it is; else the result is
 * in the arena. */
struct header_field header_repair(const struct header_field *f, struct arena *arena);

#endif
