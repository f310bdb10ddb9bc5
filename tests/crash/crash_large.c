/*
 * crash_large: how long a start takes with many messages in the spool, on the real disk.  The time
 * is printed; the test checks that all messages exist.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "spool/spool.h"

enum { LARGE_MESSAGES = 20000, LARGE_BODY = 1000, LARGE_ROUND = 500 };

struct large {
	char directory[64];
	struct fsio *io;
	struct spool *spool;
	unsigned answered;
	unsigned failed;
	unsigned found;
};

static void
large_answered(int error, void *arg)
{
	struct large *l = arg;

	l->answered++;
	l->failed += error != 0;
}

static bool
large_message(const struct spool_message *m, void *arg)
{
	struct large *l = arg;

	l->found += m->envelope.n == 8;
	return true;
}

static void
large_note(struct str name, struct str value, void *arg)
{
	(void)name;
	(void)value;
	(void)arg;
}

static void
large_open(struct large *l)
{
	struct spool_recovery r = {.message = large_message, .note = large_note, .arg = l};
	struct spool_options o = {0};

	l->io = fsio_new(open(l->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	o.io = l->io;
	l->spool = spool_open(&o, &r);
	if (!l->spool)
		die("spool: %m");
}

static void
large_close(struct large *l)
{
	spool_close(&l->spool);
	fsio_free(&l->io);
}

static void
large_submit(struct large *l, uint64_t number)
{
	static char body[LARGE_BODY];
	struct spool_entry e = {.kind = SPOOL_MESSAGE, .id = {number << 18, 1}};
	struct spool_batch b = {.entries = &e, .count = 1, .fn = large_answered, .arg = l};

	e.message.recipient_count = 1;
	e.message.envelope = STR("envelope");
	e.message.header = STR("Subject: one of many\r\n");
	e.message.body = str_make(body, sizeof body);
	if (spool_append(l->spool, &b) != 0)
		die("append: %m");
}

static void
large_fill(struct large *l)
{
	struct pollfd p = {.events = POLLIN};

	for (unsigned sent = 0; l->answered < LARGE_MESSAGES;) {
		while (sent < LARGE_MESSAGES && sent - l->answered < LARGE_ROUND)
			large_submit(l, ++sent);
		p.fd = spool_fd(l->spool);
		if (poll(&p, 1, 60000) <= 0)
			die("no answer");
		spool_dispatch(l->spool);
	}
}

static void
large_remove(const char *name, void *arg)
{
	unlinkat(*(int *)arg, name, 0);
}

static void
large_clear(struct large *l)
{
	int fd = open(l->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct fsio *io = fsio_new(fd);

	if (io->ops->list(io, large_remove, &fd) != 0)
		die("%s: %m", l->directory);
	fsio_free(&io);
	rmdir(l->directory);
}

int
main(void)
{
	struct large l = {.directory = "/tmp/crash-large-XXXXXX"};
	int64_t before, ms;
	bool is_good;

	if (!mkdtemp(l.directory))
		die("%s: %m", l.directory);
	log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_TO_FILE);
	large_open(&l);
	large_fill(&l);
	large_close(&l);
	before = clock_mono_ms();
	large_open(&l);
	ms = clock_mono_ms() - before + 1;
	large_close(&l);
	large_clear(&l);
	is_good = l.found == LARGE_MESSAGES && !l.failed;
	printf("1..1\n# a start with %d messages: %lld ms, %lld messages/s\n", LARGE_MESSAGES,
	    (long long)ms, (long long)LARGE_MESSAGES * 1000 / ms);
	printf("%sok 1 - a large spool is opened with everything in it\n", is_good ? "" : "not ");
	return !is_good;
}
