/*
 * header_parameters: the fields Content-Type and Content-Disposition: a value, and parameters after
 * ";" (RFC 2045, 2183, 2231).
 */
#ifndef MAIL_HEADER_PARAMETERS_H
#define MAIL_HEADER_PARAMETERS_H

#include "mail/fold.h"

/* The octets before the first ";" that is neither quoted nor in a comment. */
size_t header_parameters_at(struct str body);
/* parameters: from that ";" on, without line ends. Writes parameters in ASCII unchanged, the others
 * in extended form, divided when they do not fit on one line; one whose extended form is already
 * present is left out. NULL, or a phrase that states why one cannot be written so. */
const char *header_parameters_encode(struct fold *f, struct str parameters) MUST_USE;

#endif
