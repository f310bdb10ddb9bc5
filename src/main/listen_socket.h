/* listen_socket: one listening TCP socket with SO_REUSEPORT, as the configuration describes it. */
#ifndef MAIN_LISTEN_SOCKET_H
#define MAIN_LISTEN_SOCKET_H

#include "conf/conf.h"

/* Opens a listening socket; -1 with errno.  Without `joins`, for the first socket of a port, it
 * fails with EADDRINUSE when any socket listens on that port, even of the same user or this
 * process.  With `joins` it shares the port. */
int listen_socket_open(const struct conf_listen *l, bool joins) MUST_USE;

/* True if port and address are the same, however the address is written. */
bool listen_socket_is_same(const struct conf_listen *a, const struct conf_listen *b);

/* True if a connection could arrive at both: they have the same port, and the same address or one
 * that stands for all addresses of the other's family. */
bool listen_socket_overlaps(const struct conf_listen *a, const struct conf_listen *b);

/* True if this process may not take that port, whoever uses it now. */
bool listen_socket_is_forbidden(const struct conf_listen *l) MUST_USE;

/* 0: this host has the address.  Else errno: EADDRNOTAVAIL: it certainly has not; EINVAL: it is not
 * a numeric address. */
int listen_socket_probe(struct str address) MUST_USE;

#endif
