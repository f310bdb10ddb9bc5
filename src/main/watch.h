/* watch: certificate and key files, looked at every two seconds; what changed is passed on. */
#ifndef MAIN_WATCH_H
#define MAIN_WATCH_H

#include "main/daemon.h"

void watch_start(struct daemon *d);
void watch_stop(struct daemon *d);

#endif
