/*
 * watch: certificate and key files, resolv.conf and the hosts file, looked at every two seconds;
 * what changed is checked and passed on.  What is wrong with certificates in use is logged at the
 * start, when they change, and once a day.
 */
#ifndef MAIN_WATCH_H
#define MAIN_WATCH_H

#include "main/daemon.h"

/* The files as they are now, to be called before they are opened for the first time. */
void watch_note_files(struct daemon *d);
void watch_start(struct daemon *d);
/* By a reload: what is wrong with them is logged at the next look. */
void watch_certificates_changed(struct daemon *d);
void watch_stop(struct daemon *d);

#endif
