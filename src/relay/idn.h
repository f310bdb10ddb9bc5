/*
 * idn: internationalised domain names as DNS knows them (RFC 5890, 5891); the one user of libidn2.
 */
#ifndef RELAY_IDN_H
#define RELAY_IDN_H

#include "base/str.h"

enum { IDN_BYTES = 256 };

/* A-labels, lower case, zero-terminated; ASCII names only become lower case.  False: no such name
 * can exist. */
bool idn_to_ascii(struct str domain, char out[IDN_BYTES]) MUST_USE;

#endif
