/*
 * own_addresses: finds out whether an address belongs to this machine, as the kernel knows it now.
 */
#ifndef RELAY_OWN_ADDRESSES_H
#define RELAY_OWN_ADDRESSES_H

#include <sys/socket.h>

#include "base/str.h"

enum own_address_answer {
	OWN_ADDRESS_NO,
	OWN_ADDRESS_YES,     /* an address of an interface of this machine */
	OWN_ADDRESS_UNKNOWN, /* it cannot be found out now; errno gives the reason */
};

/* Does not block.  Any address that is neither IPv4 nor IPv6: NO. */
enum own_address_answer own_address_check(const struct sockaddr *sa);

#endif
