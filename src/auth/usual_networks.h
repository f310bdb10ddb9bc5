/*
 * usual_networks: from where each login succeeded lately: a few client networks per login (IPv4
 * /24, IPv6 /64), for a month. Who comes from such a place is not kept out by guesses from
 * elsewhere. Only a success adds, so that a stranger can neither add nor crowd out; a change of the
 * account forgets them, for whoever had stolen the password has succeeded too. In memory and of
 * fixed size; the names are kept as keyed hashes.
 */
#ifndef AUTH_USUAL_NETWORKS_H
#define AUTH_USUAL_NETWORKS_H

#include "base/str.h"

enum { USUAL_NETWORKS_PER_LOGIN = 8 };

struct usual_networks;

struct usual_networks *usual_networks_new(void);
void usual_networks_free(struct usual_networks **p);

/* network: as claimed_network gives it, here and below.  What of it is the place: the /24 of an
 * IPv4 address, an IPv6 /64 as it is. */
struct str usual_networks_part(struct str network);
/* False: it is known already. */
bool usual_networks_add(struct usual_networks *p, struct str login, struct str network);
/* All of this login. */
void usual_networks_forget(struct usual_networks *p, struct str login);
bool usual_networks_has(
    const struct usual_networks *p, struct str login, struct str network) MUST_USE;

#endif
