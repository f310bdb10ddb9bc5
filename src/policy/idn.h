/*
 * idn: converts internationalised domain names to the form that DNS uses (RFC 5890, 5891).  Only
 * this file uses libidn2.
 */
#ifndef POLICY_IDN_H
#define POLICY_IDN_H

#include "base/str.h"

enum { IDN_BYTES = 256 };

/* Writes the domain as A-labels in lower case, zero-terminated; an ASCII name only changes to lower
 * case.  False: not a possible domain name. */
bool idn_to_ascii(struct str domain, char out[IDN_BYTES]) MUST_USE;

#endif
