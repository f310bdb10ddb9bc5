/*
 * descriptors: how many files and sockets each role opens at most under a configuration.  The limit
 * of the process must be at least that, or mail is delayed and clients are refused.
 */
#ifndef CONF_DESCRIPTORS_H
#define CONF_DESCRIPTORS_H

#include "conf/conf.h"

struct conf_descriptors {
	const char *role;
	const char *key; /* the key that limits them */
	int64_t value;   /* of that key */
	uint64_t needed;
};

enum { CONF_DESCRIPTORS = 3, CONF_DESCRIPTORS_TEXT = 400 };

/* cores: of this machine; each has a submission process unless the configuration sets another
 * number. */
void conf_descriptors(
    const struct conf *c, long cores, struct conf_descriptors out[CONF_DESCRIPTORS]);
/* The maximum of body files that may wait to be closed in a submission process, or in relay: one
 * for each file in use, and a reserve. */
size_t conf_submission_closing_max(const struct conf *c);
size_t conf_relay_closing_max(const struct conf *c);
/* One line without its end: what exceeds the limit, and what to do; false: nothing does. */
bool conf_descriptors_shortage(
    const struct conf_descriptors *d, uint64_t limit, char out[CONF_DESCRIPTORS_TEXT]) MUST_USE;
/* The same for all of them, with the hard limit of this process and the cores of this machine: one
 * line each, with `head` before it.  Returns the number of lines. */
unsigned conf_descriptors_check(const struct conf *c, const char *head, struct buf *text_out);

#endif
