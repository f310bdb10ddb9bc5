/*
 * own_addresses: which addresses are this machine's, as the kernel knows them at this moment.
 */
#ifndef RELAY_OWN_ADDRESSES_H
#define RELAY_OWN_ADDRESSES_H

#include <sys/socket.h>

#include "base/str.h"

enum own_address_answer {
	OWN_ADDRESS_NO,
	OWN_ADDRESS_YES,     /* an address of one of our interfaces */
	OWN_ADDRESS_UNKNOWN, /* it cannot be found out now: errno says why */
};

enum own_address_answer own_address_check(const struct sockaddr *sa);

#endif
