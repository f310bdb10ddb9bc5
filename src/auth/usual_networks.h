/*
 * usual_networks: from which client networks (IPv4 /24, IPv6 /64) each login succeeded in the last
 * month, a few per login. A client from a usual network is not refused because of guesses from
 * elsewhere. Only a success adds a network, so an unknown client can neither add nor displace one.
 * A change of the account clears them, because a thief of the password has succeeded too. They are
 * only in memory, in a table of fixed size; names are stored as keyed hashes.
 */
#ifndef AUTH_USUAL_NETWORKS_H
#define AUTH_USUAL_NETWORKS_H

#include "base/str.h"

enum { USUAL_NETWORKS_PER_LOGIN = 8 };

struct usual_networks;

/* An empty table; usual_networks_free sets *p to NULL. */
struct usual_networks *usual_networks_new(void);
void usual_networks_free(struct usual_networks **p);

/* network, here and below: as claimed_network gives it. The part that is compared: the /24 of an
 * IPv4 address, a whole IPv6 /64. */
struct str usual_networks_part(struct str network);
/* False: the network is known already. */
bool usual_networks_add(struct usual_networks *p, struct str login, struct str network);
/* Forgets all networks of this login. */
void usual_networks_forget(struct usual_networks *p, struct str login);
/* True: the login succeeded from this network in the last month. */
bool usual_networks_has(
    const struct usual_networks *p, struct str login, struct str network) MUST_USE;

#endif
