/*
 * port_holder: whose listening socket is in the way, as far as /proc lets this process see.  Only
 * for words to an administrator: what it finds may be over a moment later.
 */
#ifndef MAIN_PORT_HOLDER_H
#define MAIN_PORT_HOLDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf/conf.h"

struct port_holder {
	uint64_t inode; /* of the socket */
	unsigned uid;   /* who opened it */
	pid_t pid;      /* 0: cannot be seen */
	char name[32];  /* of the process, printable; empty: cannot be seen */
};

/* False: no listening socket of another process, at that port and at an address that clashes, can
 * be seen. */
bool port_holder_find(const struct conf_listen *l, struct port_holder *out) MUST_USE;

#endif
