/* listen: one listening TCP socket with SO_REUSEPORT, as the configuration describes it. */
#ifndef MAIN_LISTEN_H
#define MAIN_LISTEN_H

#include "conf/conf.h"

/* -1: cannot be had, with errno. */
int listen_open(const struct conf_listen *l) MUST_USE;

#endif
