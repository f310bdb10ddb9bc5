/*
 * offer_tls: which certificates of an offer the roles get.
 */
#ifndef MAIN_OFFER_TLS_H
#define MAIN_OFFER_TLS_H

#include "main/offer.h"

/* Checks the certificates and keys that are open in the offer; what is left out is closed.  False,
 * and why, when a fault refuses the start (before NULL) or the reload: see offer_new. */
bool offer_tls_check(
    struct offer *o, const struct offer *before, struct offer_refusal *out) MUST_USE;

#endif
