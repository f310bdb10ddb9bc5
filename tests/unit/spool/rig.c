/* rig: see the header. */
#include "rig.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/block_sums.h"
#include "base/clock.h"

enum { TURN_MS = 20, DISPATCH_MS_MAX = 5000, CHURN_BODY_BYTES = 8000, RECIPIENTS_MAX = 2 };

struct spool_rig rig;
atomic_uint rig_blocked;

static struct fsio_ops watched;

static void
try_open(void)
{
	rig.io = fsio_new(open(rig.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	rig.disk = rig.io->ops;
	watched = *rig.disk;
	rig.watch(&watched);
	rig.io->ops = &watched;
	rig.options.io = rig.io;
	rig.spool = spool_open(&rig.options, NULL);
}

static void
open_spool(void)
{
	try_open();
	cr_assert_not_null(rig.spool);
}

void
rig_begin(const struct spool_options *o, void (*watch)(struct fsio_ops *ops))
{
	rig = (struct spool_rig){
	    .options = *o, .directory = "/tmp/test-spool-XXXXXX", .watch = watch};
	rig_blocked = 0;
	cr_assert_not_null(mkdtemp(rig.directory));
	open_spool();
}

static void
remove_one(const char *name, void *arg)
{
	unlinkat(*(int *)arg, name, 0);
}

void
rig_end(void)
{
	int fd = open(rig.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	spool_close(&rig.spool);
	cr_expect_eq(rig.disk->list(rig.io, remove_one, &fd), 0);
	fsio_free(&rig.io);
	close(fd);
	rmdir(rig.directory);
}

void
rig_open_again(void)
{
	spool_close(&rig.spool);
	fsio_free(&rig.io);
	open_spool();
}

int
rig_open_refused(void)
{
	spool_close(&rig.spool);
	fsio_free(&rig.io);
	try_open();
	cr_assert_null(rig.spool);
	return errno;
}

void
rig_block(const atomic_bool *flag)
{
	if (!*flag)
		return;
	rig_blocked++;
	while (*flag)
		usleep(1000);
}

/* ---- the event loop ---- */

void
rig_turn(void)
{
	struct pollfd p = {.fd = spool_fd(rig.spool), .events = POLLIN};
	int64_t before;

	if (!rig.options.threadless)
		poll(&p, 1, TURN_MS);
	before = clock_mono_ms();
	spool_dispatch(rig.spool);
	cr_assert_lt(clock_mono_ms() - before, DISPATCH_MS_MAX, "the event loop was blocked");
}

void
rig_until(const int *answer)
{
	int64_t deadline_ms = clock_mono_ms() + RIG_TIMEOUT_MS;

	while (*answer == -1 && clock_mono_ms() < deadline_ms)
		rig_turn();
	cr_assert_neq(*answer, -1, "no answer");
}

void
rig_until_count(const atomic_uint *count, unsigned enough, const char *what)
{
	int64_t deadline_ms = clock_mono_ms() + RIG_TIMEOUT_MS;

	while (*count < enough && clock_mono_ms() < deadline_ms)
		rig_turn();
	cr_assert_geq(*count, enough, "%s: %u", what, *count);
}

void
rig_answered(int error, void *arg)
{
	*(int *)arg = error;
}

void
rig_read_answered(const struct spool_content *content, int error, void *arg)
{
	*(int *)arg = content ? 0 : error;
}

/* ---- messages ---- */

struct msgid
rig_id(uint32_t number)
{
	return (struct msgid){(uint64_t)7 << 18, number};
}

struct spool_entry
rig_message(uint32_t number)
{
	struct spool_entry e = {.kind = SPOOL_MESSAGE, .id = rig_id(number)};

	e.message.recipient_count = 1;
	e.message.envelope = STR("e");
	e.message.header = STR("h");
	e.message.body = STR("a body");
	return e;
}

struct spool_entry
rig_message_in_file(uint32_t number, size_t body_bytes)
{
	static char body[RIG_BODY_MAX];
	struct spool_entry e = rig_message(number);

	memset(body, 'b', sizeof body);
	e.message.body = STR_NULL;
	e.message.in_file = true;
	e.message.fd = rig_take_file();
	cr_assert_leq(body_bytes, sizeof body);
	cr_assert_eq(write(e.message.fd, body, body_bytes), (ssize_t)body_bytes);
	return e;
}

struct spool_entry
rig_done(uint32_t number, uint32_t recipient)
{
	struct spool_entry e = {.kind = SPOOL_STATUS, .id = rig_id(number)};

	e.status.number = recipient;
	e.status.outcome = SPOOL_DONE;
	e.status.is_settled = true;
	return e;
}

void
rig_append_soon(const struct spool_entry *e, size_t count, int *answer)
{
	struct spool_batch b = {.entries = e, .count = count, .urgency = SPOOL_NOW};

	if (answer) {
		b.fn = rig_answered;
		b.arg = answer;
		*answer = -1;
	}
	cr_assert_eq(spool_append(rig.spool, &b), 0, "errno %d", errno);
}

void
rig_append(const struct spool_entry *e, size_t count)
{
	int answer;

	rig_append_soon(e, count, &answer);
	rig_until(&answer);
	cr_assert_eq(answer, 0);
}

void
rig_store_soon(uint32_t number, int *answer)
{
	struct spool_entry e = rig_message(number);

	rig_append_soon(&e, 1, answer);
}

void
rig_store(uint32_t number)
{
	struct spool_entry e = rig_message(number);

	rig_append(&e, 1);
}

void
rig_store_in_file(uint32_t number, size_t body_bytes)
{
	struct spool_entry e = rig_message_in_file(number, body_bytes);

	rig_append(&e, 1);
}

void
rig_settle(uint32_t number)
{
	struct spool_entry e[RECIPIENTS_MAX];
	struct spool_message m;

	cr_assert(spool_find(rig.spool, rig_id(number), &m));
	cr_assert_leq(m.recipient_count, RECIPIENTS_MAX);
	for (uint32_t n = 0; n < m.recipient_count; n++)
		e[n] = rig_done(number, n + 1);
	rig_append(e, m.recipient_count);
}

void
rig_churn(uint32_t from, unsigned count)
{
	static const char body[CHURN_BODY_BYTES];

	for (uint32_t n = from; n < from + count; n++) {
		struct spool_entry e[2] = {rig_message(n), rig_done(n, 1)};

		e[0].message.body = str_make(body, sizeof body);
		rig_append(e, 2);
	}
}

void
rig_read(uint32_t number)
{
	struct spool_reading r = {.task = NULL};
	int answer = -1;

	spool_read(rig.spool, &r, rig_id(number), rig_read_answered, &answer);
	rig_until(&answer);
	cr_assert_eq(answer, 0);
}

uint64_t
rig_segments(void)
{
	struct spool_stats stats;

	spool_stats(rig.spool, &stats);
	return stats.segments;
}

/* ---- body files ---- */

static void
file_opened(int fd, int error, void *arg)
{
	struct rig_file *f = arg;

	f->fd = fd;
	f->answer = error;
}

void
rig_request_file(struct rig_file *f)
{
	*f = (struct rig_file){.answer = -1, .fd = -1};
	spool_file_request(rig.spool, &f->wait, file_opened, f);
}

int
rig_take_file(void)
{
	struct rig_file f;
	int fd = spool_file(rig.spool);

	if (fd >= 0)
		return fd;
	cr_assert_eq(errno, EAGAIN);
	rig_request_file(&f);
	rig_until(&f.answer);
	cr_assert_eq(f.answer, 0);
	return f.fd;
}

void
rig_check_body(struct str words, int *answer)
{
	char sum[BLOCK_SUMS_BYTES];
	int fd = memfd_create("body", MFD_CLOEXEC);

	*answer = -1;
	cr_assert_eq(write(fd, words.p, words.n), (ssize_t)words.n);
	block_sums_make(words, sum);
	spool_check_body(rig.spool, fd, str_make(sum, sizeof sum), rig_answered, answer);
}
