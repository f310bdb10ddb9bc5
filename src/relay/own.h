/*
 * own: which addresses are this machine's, as the kernel knows them at this moment.
 */
#ifndef RELAY_OWN_H
#define RELAY_OWN_H

#include <sys/socket.h>

#include "base/str.h"

/* An address of one of our interfaces. */
bool own_has(const struct sockaddr *sa);

#endif
