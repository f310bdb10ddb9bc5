/* zones: a real name server on this machine, with a signed, an unsigned and a falsified zone, in a
 * directory of its own. */
#ifndef TESTS_UNIT_NET_ZONES_H
#define TESTS_UNIT_NET_ZONES_H

#include "base/str.h"

struct zones {
	char dir[64], port[8];
};

extern struct zones zones; /* each test runs in a process of its own */

/* The directory alone, and a port where nothing listens. */
void zones_make_dir(void);
void zones_remove_dir(void);
/* With the server; the test is skipped where there is none. */
void zones_up(void);
void zones_down(void);
/* The trust anchors of the server's zones; without a server, some. */
struct str zones_anchor(void);

#endif
