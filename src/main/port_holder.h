/*
 * port_holder: finds the process whose listening socket occupies a port, as far as /proc shows it
 * to this process.  Only for messages to an administrator: the result may be out of date a moment
 * later.
 */
#ifndef MAIN_PORT_HOLDER_H
#define MAIN_PORT_HOLDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf/conf.h"

struct port_holder {
	uint64_t inode; /* of the socket */
	unsigned uid;   /* of the user who opened it */
	pid_t pid;      /* 0: not visible */
	char name[32];  /* of the process, printable; empty: not visible */
};

/* False: no listening socket of another process with that port and an overlapping address is
 * visible. */
bool port_holder_find(const struct conf_listen *l, struct port_holder *out) MUST_USE;

#endif
