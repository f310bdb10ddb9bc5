/*
 * crash_kill: a child commits in a loop on the real disk and is killed with SIGKILL at a random
 * moment.  What it reported as durable must exist, byte for byte, and what it reported as settled
 * must not.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "spool/spool.h"

enum { ROUNDS = 12, PER_ROUND = 4000, OPEN_MAX_COMMITS = 32, FILE_BYTES = 200000 };
enum { STORED = 1, FINISHED = 2 };

struct said {
	uint32_t number;
	uint32_t what;
};

struct child {
	struct spool *spool;
	struct fsio *io;
	int out;
	unsigned open;
};

struct call {
	struct child *child;
	struct said said;
};

static char directory[] = "/tmp/crash-kill-XXXXXX";
static unsigned char told[ROUNDS * PER_ROUND + 1];

static struct msgid
id_of(uint32_t number)
{
	return (struct msgid){((uint64_t)number + 1) << 18, 1};
}

static bool
is_filed(uint32_t number)
{
	return number % 200 == 7;
}

static bool
is_finished(uint32_t number)
{
	return number % 3 == 0;
}

static struct str
body_of(uint32_t number, char room[FILE_BYTES])
{
	size_t n = is_filed(number) ? FILE_BYTES : 100 + number % 3000;
	/* neither CR nor LF nor NUL in a file: the spool refuses those */
	unsigned mark = is_filed(number) ? 64 : 0;

	for (size_t i = 0; i < n; i++)
		room[i] = (char)((number * 31 + i * 7 + i / 251) | mark);
	return str_make(room, n);
}

static struct spool *
open_spool(struct fsio **io, bool threadless)
{
	struct spool_options o = {.segment_bytes = 1 << 20, .threadless = threadless};

	*io = fsio_new(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	o.io = *io;
	return spool_open(&o, NULL);
}

/* ---- the child ---- */

static void stored(int error, void *arg);

static void
append(struct child *c, struct spool_entry *e, struct said said)
{
	struct call *call = MEM_NEW(struct call);
	struct spool_batch b = {e, 1, SPOOL_NOW, stored, call};

	*call = (struct call){c, said};
	if (spool_append(c->spool, &b) != 0)
		_exit(3);
	c->open++;
}

static void
stored(int error, void *arg)
{
	struct call *call = arg;
	struct spool_entry e = {.kind = SPOOL_STATUS, .id = id_of(call->said.number)};

	struct said said = call->said;

	if (error || write(call->child->out, &said, sizeof said) != sizeof said)
		_exit(4);
	call->child->open--;
	if (call->said.what == STORED && is_finished(call->said.number)) {
		e.status.number = 1;
		e.status.outcome = SPOOL_DONE;
		e.status.is_settled = true;
		append(call->child, &e, (struct said){call->said.number, FINISHED});
	}
	mem_free(call);
}

/* A file is ready soon after the one before was taken. */
static int
take_file(struct child *c)
{
	struct pollfd p = {.fd = spool_fd(c->spool), .events = POLLIN};
	int fd;

	while ((fd = spool_file(c->spool)) < 0 && errno == EAGAIN) {
		poll(&p, 1, 100);
		spool_dispatch(c->spool);
	}
	return fd;
}

static void
commit(struct child *c, uint32_t number)
{
	static char room[FILE_BYTES];
	struct spool_entry e = {.kind = SPOOL_MESSAGE, .id = id_of(number)};
	struct str body = body_of(number, room);

	e.message.recipient_count = 1;
	e.message.envelope = STR("envelope");
	e.message.header = STR("Subject: kill\r\n");
	e.message.in_file = is_filed(number);
	e.message.body = e.message.in_file ? STR_NULL : body;
	if (e.message.in_file) {
		e.message.fd = take_file(c);
		if (write(e.message.fd, body.p, body.n) != (ssize_t)body.n)
			_exit(5);
	}
	append(c, &e, (struct said){number, STORED});
}

static _Noreturn void
run_child(uint32_t first, int out)
{
	struct child c = {.out = out};
	struct pollfd p = {.events = POLLIN};

	c.spool = open_spool(&c.io, false);
	if (!c.spool)
		_exit(2);
	p.fd = spool_fd(c.spool);
	for (uint32_t n = first; n < first + PER_ROUND || c.open;) {
		while (c.open < OPEN_MAX_COMMITS && n < first + PER_ROUND)
			commit(&c, n++);
		poll(&p, 1, 1000);
		spool_dispatch(c.spool);
	}
	pause();
	_exit(0);
}

/* ---- the parent ---- */

static void
compare(const struct spool_content *found, int error, void *arg)
{
	static char expected[FILE_BYTES], file[FILE_BYTES];
	uint32_t number = *(uint32_t *)arg;
	struct str body = body_of(number, expected), got = found ? found->body : STR_NULL;

	if (found && found->fd >= 0) {
		ssize_t n = read(found->fd, file, sizeof file);

		got = str_make(file, n > 0 ? (size_t)n : 0);
	}
	*(uint32_t *)arg = !found || !str_eq(got, body) ? UINT32_MAX : 0;
	if (error)
		printf("# message %u: errno %d\n", number, error);
}

static unsigned
check_one(struct spool *s, uint32_t number)
{
	struct spool_reading reading = {.task = NULL};
	struct spool_message found;
	uint32_t arg = number;
	bool is_there = spool_find(s, id_of(number), &found);

	if (told[number] == FINISHED && is_there)
		return printf("# message %u is back\n", number), 1;
	if (told[number] == STORED && !is_there && !is_finished(number))
		return printf("# message %u is lost\n", number), 1;
	if (!is_there)
		return 0;
	spool_read(s, &reading, id_of(number), compare, &arg);
	spool_dispatch(s);
	return arg != 0;
}

static unsigned
check(uint32_t count, uint32_t *stored_out)
{
	struct fsio *io;
	struct spool *s = open_spool(&io, true);
	unsigned bad = 0;

	*stored_out = 0;
	if (!s)
		return printf("# cannot be opened: %d\n", errno), 1;
	for (uint32_t n = 0; n < count; n++) {
		bad += check_one(s, n);
		*stored_out += told[n] != 0;
	}
	spool_close(&s);
	fsio_free(&io);
	return bad;
}

static void
hear(int in)
{
	struct said said;

	while (read(in, &said, sizeof said) == sizeof said)
		told[said.number] = (unsigned char)said.what;
	close(in);
}

static bool
run_round(uint32_t first, unsigned wait_ms)
{
	struct timespec t = {0, (long)wait_ms * 1000000};
	int ends[2], state;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) != 0 || fcntl(ends[1], F_SETPIPE_SZ, 1 << 20) < 0)
		return false;
	child = fork();
	if (child == 0)
		run_child(first, ends[1]);
	close(ends[1]);
	nanosleep(&t, NULL);
	kill(child, SIGKILL);
	waitpid(child, &state, 0);
	hear(ends[0]);
	return WIFSIGNALED(state);
}

static void
remove_one(const char *name, void *arg)
{
	unlinkat(*(int *)arg, name, 0);
}

static void
clean_up(void)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct fsio *io = fsio_new(fd);

	io->ops->list(io, remove_one, &fd);
	fsio_free(&io);
	rmdir(directory);
}

int
main(void)
{
	unsigned bad = 0, killed = 0;
	uint32_t stored_count = 0;

	printf("1..1\n");
	if (!mkdtemp(directory))
		return printf("Bail out! no directory\n"), 1;
	for (unsigned r = 0; r < ROUNDS; r++) {
		killed += run_round(r * PER_ROUND, 15 + r * 37 % 100);
		bad += check((r + 1) * PER_ROUND, &stored_count);
	}
	clean_up();
	printf("# %u kills, %u messages acknowledged, %u broken promises\n", killed, stored_count,
	    bad);
	printf("%sok 1 - SIGKILL loses nothing that was acknowledged\n",
	    bad || killed != ROUNDS || stored_count < 100 ? "not " : "");
	return bad != 0;
}
