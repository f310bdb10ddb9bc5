/*
 * descriptors: the needs are upper bounds: a base for each role, and a number for each delivery or
 * session. A role that keeps one more file open for each of them must change its number here. Relay
 * and submission take the number of files that may wait to be closed from here, so that the sum
 * stays right.
 */
#include "conf/descriptors.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error_text.h"

enum {
	DESCRIPTORS_BASE = 256,     /* channels, listeners, events, libraries, idle connections */
	DESCRIPTORS_A_DELIVERY = 3, /* relay: a connection, a body; before them two DNS queries */
	/* queue: a body that is read, one that relay has not taken yet */
	DESCRIPTORS_A_CONTENT = 2,
	DESCRIPTORS_BODIES = 4096,  /* bodies of large messages that one process receives at once */
	DESCRIPTORS_CLOSING = 64,   /* bodies that wait to be closed, and one for each in use */
};

static uint64_t
smaller_count(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The kernel distributes connections over the processes, but not evenly. */
static uint64_t
share_of_sessions(const struct conf *c, long cores)
{
	int64_t processes = c->submission.processes ? c->submission.processes : cores;
	uint64_t sessions = (uint64_t)c->limits.sessions;

	return processes > 1 ? sessions / (uint64_t)processes * 9 / 8 + 1 : sessions;
}

size_t
conf_submission_closing_max(const struct conf *c)
{
	return smaller_count((uint64_t)c->limits.sessions, DESCRIPTORS_BODIES) +
	       DESCRIPTORS_CLOSING;
}

size_t
conf_relay_closing_max(const struct conf *c)
{
	return (size_t)c->queue.concurrency + DESCRIPTORS_CLOSING;
}

void
conf_descriptors(
    const struct conf *c, long cores, struct conf_descriptors out[CONF_DESCRIPTORS])
{
	uint64_t deliveries = (uint64_t)c->queue.concurrency;
	uint64_t sessions = share_of_sessions(c, cores);

	out[0] = (struct conf_descriptors){"relay", "queue.concurrency", c->queue.concurrency,
	    DESCRIPTORS_BASE + DESCRIPTORS_A_DELIVERY * deliveries + conf_relay_closing_max(c)};
	out[1] = (struct conf_descriptors){"queue", "queue.concurrency", c->queue.concurrency,
	    DESCRIPTORS_BASE + DESCRIPTORS_A_CONTENT * deliveries};
	out[2] = (struct conf_descriptors){"submission", "limits.sessions", c->limits.sessions,
	    DESCRIPTORS_BASE + sessions + smaller_count(sessions, DESCRIPTORS_BODIES) +
		conf_submission_closing_max(c)};
}

bool
conf_descriptors_shortage(
    const struct conf_descriptors *d, uint64_t limit, char out[CONF_DESCRIPTORS_TEXT])
{
	if (d->needed <= limit)
		return false;
	snprintf(out, CONF_DESCRIPTORS_TEXT,
	    "%s = %lld: the %s process may need %llu descriptors, its hard limit is "
	    "%llu; " ERROR_TEXT_RAISE "%s",
	    d->key, (long long)d->value, d->role, (unsigned long long)d->needed,
	    (unsigned long long)limit, d->key);
	return true;
}

unsigned
conf_descriptors_check(const struct conf *c, const char *head, struct buf *text_out)
{
	struct conf_descriptors needs[CONF_DESCRIPTORS];
	char text[CONF_DESCRIPTORS_TEXT];
	struct rlimit files;
	unsigned count = 0;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return 0;
	conf_descriptors(c, sysconf(_SC_NPROCESSORS_ONLN), needs);
	for (size_t i = 0; i < CONF_DESCRIPTORS; i++) {
		if (!conf_descriptors_shortage(&needs[i], files.rlim_max, text))
			continue;
		buf_addf(text_out, "%s%s\n", head, text);
		count++;
	}
	return count;
}
