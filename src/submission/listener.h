/*
 * listener: takes clients in, as many as there is room for, and tells the others so.
 */
#ifndef SUBMISSION_LISTENER_H
#define SUBMISSION_LISTENER_H

#include "submission/submission_internal.h"

/* Owns fd; replaces the listener of that index. */
void listener_take(struct submission *g, unsigned index, int fd);
/* Begins accepting on all, or ends those that the configuration has no more. */
void listener_start_all(struct submission *g);
void listener_close_all(struct submission *g);

#endif
