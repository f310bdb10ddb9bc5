/*
 * places: from where each login succeeded lately: a few client networks per login (IPv4 /24, IPv6
 * /64), for a month. Who comes from such a place is not kept out by guesses from elsewhere. Only a
 * success adds, so that a stranger can neither add nor crowd out. In memory and of fixed size; the
 * names are kept as keyed hashes.
 */
#ifndef AUTH_PLACES_H
#define AUTH_PLACES_H

#include "base/str.h"

enum { PLACES_PER_LOGIN = 8 };

struct places;

struct places *places_new(void);
void places_free(struct places **p);

/* network: as claim_network gives it. */
void places_add(struct places *p, struct str login, struct str network);
bool places_has(const struct places *p, struct str login, struct str network) MUST_USE;

#endif
