/*
 * spoolbench: durable commits per second on the disk below DIRECTORY, by message size and by how
 * many are outstanding, and the processor time of each.  Not part of make check.
 *
 *	spoolbench DIRECTORY [SECONDS]
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "spool/spool.h"

struct bench {
	struct spool *spool;
	struct str body;
	uint64_t next;
	uint64_t done;
	uint64_t failed;
	unsigned outstanding;
	unsigned settling;
};

struct one {
	struct bench *bench;
	struct msgid id;
	bool is_settling;
};

static double
seconds_of(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void finished(int error, void *arg);

/* Delivered at once, so that segments are freed and used again. */
static void
bench_settle(struct one *one)
{
	struct spool_entry e = {.kind = SPOOL_STATUS, .id = one->id};
	struct spool_batch b = {&e, 1, SPOOL_LAZY, finished, one};

	e.status = (struct spool_recipient){.number = 1, .outcome = SPOOL_DONE, .is_settled = true};
	one->is_settling = true;
	if (spool_append(one->bench->spool, &b) != 0)
		mem_free(one);
	else
		one->bench->settling++;
}

static void
finished(int error, void *arg)
{
	struct one *one = arg;
	struct bench *bench = one->bench;

	if (one->is_settling) {
		bench->settling--;
		mem_free(one);
		return;
	}
	bench->outstanding--;
	if (error) {
		bench->failed++;
		mem_free(one);
		return;
	}
	bench->done++;
	bench_settle(one);
}

static void
submit(struct bench *bench)
{
	struct one *one = MEM_NEW(struct one);
	struct spool_entry e = {.kind = SPOOL_MESSAGE};
	struct spool_batch b = {&e, 1, SPOOL_NOW, finished, one};

	*one = (struct one){bench, {++bench->next << 18, 1}, false};
	e.id = one->id;
	e.message.recipient_count = 1;
	e.message.envelope = STR("an envelope of usual length: sender, recipient, login, times");
	e.message.header = STR("From: a@example.com\r\nTo: b@example.net\r\nSubject: x\r\n");
	e.message.body = bench->body;
	if (spool_append(bench->spool, &b) == 0) {
		bench->outstanding++;
		return;
	}
	mem_free(one);
	bench->failed++;
}

static void
turn(struct bench *bench)
{
	struct pollfd p = {.fd = spool_fd(bench->spool), .events = POLLIN};

	if (poll(&p, 1, 1000) < 0)
		exit(1);
	spool_dispatch(bench->spool);
}

static void
measure(struct bench *bench, unsigned writers, double seconds)
{
	struct spool_stats before, after;
	double start = seconds_of(CLOCK_MONOTONIC), took;
	double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);

	spool_stats(bench->spool, &before);
	bench->done = bench->failed = 0;
	while (seconds_of(CLOCK_MONOTONIC) - start < seconds) {
		while (bench->outstanding < writers && bench->failed < 1000)
			submit(bench);
		turn(bench);
	}
	took = seconds_of(CLOCK_MONOTONIC) - start;
	cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	while (bench->outstanding || bench->settling)
		turn(bench);
	spool_stats(bench->spool, &after);
	printf("%6zu B %4u open %9.0f commits/s %8.1f MB/s %7.0f syncs/s %6.2f us CPU each"
	       " %llu segments %llu failed\n",
	    bench->body.n, writers, (double)bench->done / took,
	    (double)bench->done * (double)bench->body.n / took / 1e6,
	    (double)(after.syncs - before.syncs) / took,
	    cpu * 1e6 / (double)(bench->done ? bench->done : 1),
	    (unsigned long long)after.segments, (unsigned long long)bench->failed);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	static const unsigned writers[] = {1, 16, 64, 256};
	static const size_t sizes[] = {4096, 65536};
	static char body[65536];
	double seconds = argc > 2 ? atof(argv[2]) : 2;
	struct bench bench = {.next = (uint64_t)clock_ms()};
	struct spool_options o = {.minimum_free_percent = 1};
	int fd = argc > 1 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	memset(body, 'x', sizeof body);
	if (fd < 0)
		return fprintf(stderr, "usage: spoolbench DIRECTORY [SECONDS]\n"), 2;
	o.io = fsio_new(fd);
	bench.spool = spool_open(&o, NULL);
	if (!bench.spool)
		return perror("spool_open"), 1;
	for (size_t s = 0; s < 2; s++)
		for (size_t w = 0; w < 4; w++) {
			bench.body = str_make(body, sizes[s]);
			measure(&bench, writers[w], seconds);
		}
	spool_close(&bench.spool);
	fsio_free(&o.io);
	return 0;
}
