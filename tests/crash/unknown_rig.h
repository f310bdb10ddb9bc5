/*
 * unknown_rig: a spool on a simulated disk that has what this version cannot decode.
 */
#ifndef TESTS_CRASH_UNKNOWN_RIG_H
#define TESTS_CRASH_UNKNOWN_RIG_H

#include "model.h"

extern const struct spool_options unknown_options; /* without io */

bool unknown_open(struct model *m);
/* Frees all; was all as expected? */
bool unknown_end(struct model *m);

#endif
