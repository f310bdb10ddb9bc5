/*
 * listener: accepts clients up to the limits of the configuration, and refuses the others with a
 * reply.
 */
#ifndef SUBMISSION_LISTENER_H
#define SUBMISSION_LISTENER_H

#include "submission/submission_internal.h"

/* Takes over the listening socket fd, in place of the former one of that index. */
void listener_take(struct submission *submission, unsigned index, int fd);
/* Accepts on all listeners; closes those that the configuration does not have any more. */
void listener_start_all(struct submission *submission);
/* Closes all listeners; connections are not touched. */
void listener_close_all(struct submission *submission);

#endif
