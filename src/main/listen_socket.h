/* listen_socket: one listening TCP socket with SO_REUSEPORT, as the configuration describes it. */
#ifndef MAIN_LISTEN_SOCKET_H
#define MAIN_LISTEN_SOCKET_H

#include "conf/conf.h"

/* -1: cannot be had, with errno.  The first socket of a port is one that does not join: it is
 * refused with EADDRINUSE when any socket listens there, also one of the same user or of this
 * process.  The others join it. */
int listen_socket_open(const struct conf_listen *l, bool joins) MUST_USE;

/* The same port and address, however the address is written. */
bool listen_socket_is_same(const struct conf_listen *a, const struct conf_listen *b);

/* Would a connection fit both: the same port, and the same address or one that means all addresses
 * of the other's family? */
bool listen_socket_overlaps(const struct conf_listen *a, const struct conf_listen *b);

/* Has this host the address?  0: yes; else errno: EADDRNOTAVAIL: certainly not; EINVAL: it is not a
 * numeric address. */
int listen_socket_probe(struct str address) MUST_USE;

#endif
