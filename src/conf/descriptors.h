/*
 * descriptors: how many files and sockets each role has open at most, as the configuration allows
 * it.  The process's limit must leave room for them, or mail is delayed and clients are sent away.
 */
#ifndef CONF_DESCRIPTORS_H
#define CONF_DESCRIPTORS_H

#include "conf/conf.h"

struct conf_descriptors {
	const char *role;
	const char *key; /* which key bounds them */
	int64_t value;   /* of that key */
	uint64_t needed;
};

enum { CONF_DESCRIPTORS = 3, CONF_DESCRIPTORS_TEXT = 400 };

/* cores: of this machine; each has a submission process unless the configuration says
 * otherwise. */
void conf_descriptors(
    const struct conf *c, long cores, struct conf_descriptors out[CONF_DESCRIPTORS]);
/* So many files of bodies may wait to be closed in a process of submission, or in relay: one for
 * each that is in use there, and some. */
size_t conf_submission_closing_max(const struct conf *c);
size_t conf_relay_closing_max(const struct conf *c);
/* One line without its end: what does not fit in the limit, and what to do; false: it fits. */
bool conf_descriptors_shortage(
    const struct conf_descriptors *d, uint64_t limit, char out[CONF_DESCRIPTORS_TEXT]) MUST_USE;
/* The same for all of them, with this process's hard limit and this machine's cores: a line each,
 * head before it.  Returns how many. */
unsigned conf_descriptors_check(const struct conf *c, const char *head, struct buf *text_out);

#endif
