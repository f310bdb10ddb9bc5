/*
 * header_parameters: Content-Type and Content-Disposition: a value, and parameters behind ";"
 * (RFC 2045, 2183, 2231).
 */
#ifndef MAIL_HEADER_PARAMETERS_H
#define MAIL_HEADER_PARAMETERS_H

#include "mail/fold.h"

/* Octets before the first ";" that is neither quoted nor in a comment. */
size_t header_parameters_at(struct str body);
/* parameters: from that ";" on, without line ends.  Those in ASCII as they are, the others in
 * extended form, divided when they do not fit on one line; one that has an extended form already is
 * left out.  NULL, or why one cannot be written so: a phrase. */
const char *header_parameters_encode(struct fold *f, struct str parameters) MUST_USE;

#endif
