/* rig: the event loop, the process of the queue, and the test as main. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "queue/queue.h"
#include "rig_parts.h"
#include "support/fault_channel.h"
#include "support/remove_files.h"

enum { PATIENCE_S = 30 };

#ifdef SANITIZERS
#include <sanitizer/lsan_interface.h>
enum { IS_THREAD = true }; /* the sanitizers need system calls that the sandbox refuses */
#else
enum { IS_THREAD = false };
#endif

const char *const rig_nothing[] = {NULL};
const char rig_slow[] = "retry = [ \"1h\" ];";
const char rig_quick[] = "retry = [ \"1s\" ];";

/* ---- the loop ---- */

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	*(bool *)arg = true;
}

static void
once(struct rig *r, int limit_ms, bool *late)
{
	struct timeval limit = {limit_ms / 1000, limit_ms % 1000 * 1000};
	struct event *e = evtimer_new(r->base, on_time, late);

	evtimer_add(e, &limit);
	event_base_loop(r->base, EVLOOP_ONCE);
	event_free(e);
}

void
rig_until(struct rig *r, const unsigned *count, unsigned enough)
{
	bool late = false;

	while (*count < enough && !late)
		once(r, PATIENCE_S * 1000, &late);
	cr_assert_geq(*count, enough, "waited for ever: %u of %u", *count, enough);
}

static void
until(struct rig *r, const bool *flag)
{
	bool late = false;

	while (!*flag && !late)
		once(r, PATIENCE_S * 1000, &late);
	cr_assert(*flag, "waited for ever");
}

void
rig_wait(struct rig *r, int ms)
{
	int64_t end = clock_mono_ms() + ms;
	bool late = false;

	while (clock_mono_ms() < end)
		once(r, (int)(end - clock_mono_ms()) + 1, &late);
}

/* ---- as main ---- */

static void
from_main(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct rig *r = arg;

	(void)c;
	if (p->type == MESSAGE_READY) {
		r->is_ready = true;
		r->newest_ms = p->message->ready.newest_ms;
	}
	if (p->type == MESSAGE_STOPPED)
		r->is_stopped = true;
	if (p->type == MESSAGE_PEER_LOST) {
		r->peers_lost++;
		r->last_lost = p->message->peer_lost.number;
	}
	if (p->type == MESSAGE_ALERT) {
		r->alerts++;
		r->alert_kind = p->message->alert.kind;
		snprintf(r->alert, sizeof r->alert, "%.*s|%.*s",
		    STR_ARG(p->message->alert.object), STR_ARG(p->message->alert.text));
	}
}

static void
lost(struct channel *c, void *arg)
{
	struct rig *r = arg;
	struct channel **all[] = {&r->main, &r->submission, &r->relay, &r->control};

	if (c == r->main)
		r->is_ended = true;
	else
		r->ends_lost++;
	for (size_t i = 0; i < 4; i++)
		if (*all[i] == c)
			channel_free(all[i]);
}

struct channel *
rig_give_end(struct rig *r, enum role_kind kind, channel_fn *fn, int ends[2])
{
	struct message_peer m = {.role = (uint8_t)kind, .number = ++r->pairs};

	if (kind == ROLE_SUBMISSION)
		m.index = (uint8_t)r->submission_index;
	cr_assert_eq(channel_send(r->main, MESSAGE_PEER, &m, ends[1]), 0);
	close(ends[1]);
	return channel_new(r->base, ends[0], fn, lost, r);
}

struct channel *
rig_give_peer(struct rig *r, enum role_kind kind, channel_fn *fn)
{
	int ends[2];

	cr_assert_eq(channel_pair(ends), 0);
	return rig_give_end(r, kind, fn, ends);
}

static void
send_config(struct rig *r)
{
	struct message_config m = {.generation = 1};
	char text[2048];
	int fd = memfd_create("config", MFD_CLOEXEC);
	int n = snprintf(text, sizeof text,
	    "hostname = \"gw.test\"; domains = ( { name = \"example.com\"; } );\n"
	    "limits: { per_user = \"%s\"; };\n"
	    "queue: { first_attempt_memory = \"%s\"; %s %s };\n"
	    "routes: ( %s );\n",
	    r->limits ? r->limits : "100 recipients / 1h",
	    r->keeps_contents ? "1M" : "0B",
	    strstr(r->queue_conf, "minimum_free") ? "" : "minimum_free = \"0%\";", r->queue_conf,
	    r->routes ? r->routes : "{ via = \"mx\"; }");

	cr_assert_eq(write(fd, text, (size_t)n), n);
	cr_assert_eq(channel_send(r->main, MESSAGE_CONFIG, &m, fd), 0);
	close(fd);
}

void
rig_reload_soon(struct rig *r)
{
	send_config(r);
}

void
rig_reload(struct rig *r, const char *queue_conf)
{
	r->queue_conf = queue_conf;
	send_config(r);
	rig_wait(r, 100);
}

static void
send_grant(struct rig *r)
{
	struct message_grant m = {.kind = GRANT_SPOOL, .name = str_of(r->directory)};
	int fd = open(r->directory, O_DIRECTORY | O_RDONLY | O_CLOEXEC);

	cr_assert_eq(channel_send(r->main, MESSAGE_GRANT, &m, fd), 0);
	close(fd);
}

/* ---- the process ---- */

/* A leak of the role is an error of the test, by the exit status. */
static void
leave(int status)
{
#ifdef SANITIZERS
	if (__lsan_do_recoverable_leak_check())
		status = 99;
#endif
	_exit(status);
}

static void
from_control(struct channel *c, const struct channel_packet *p, void *arg)
{
	(void)c;
	(void)p;
	(void)arg;
}

void
rig_start(struct rig *r)
{
	struct message_start m = {.slot = 1};
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	fflush(NULL);
	r->pid = fork();
	if (r->pid == 0) {
		/* a blocked disk would keep the process */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(ends[1], 3);
		close_range(4, ~0U, 0);
		leave(role_run(&queue_role, ROLE_QUEUE, 0, 3, IS_THREAD));
	}
	close(ends[1]);
	r->is_ready = r->is_stopped = r->is_ended = false;
	r->main = channel_new(r->base, ends[0], from_main, lost, r);
	send_config(r);
	send_grant(r);
	rig_submission(r);
	r->control = rig_give_peer(r, ROLE_CONTROL, from_control);
	cr_assert_eq(channel_send(r->main, MESSAGE_START, &m, -1), 0);
	until(r, &r->is_ready);
}

void
rig_begin(struct rig *r, const char *queue_conf)
{
	memset(r, 0, sizeof *r);
	r->fd = -1;
	r->disk = rig_disk = mmap(NULL, sizeof *r->disk, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(r->disk, MAP_FAILED);
	r->disk->free_percent = 80;
	r->base = event_base_new();
	r->queue_conf = queue_conf;
	snprintf(r->directory, sizeof r->directory, "/tmp/test-queue.XXXXXX");
	cr_assert(mkdtemp(r->directory));
	rig_start(r);
}

static int
forget_process(struct rig *r)
{
	int status;

	channel_free(&r->main);
	channel_free(&r->submission);
	channel_free(&r->relay);
	channel_free(&r->control);
	fault_channel_free(&r->between);
	waitpid(r->pid, &status, 0);
	r->pid = 0;
	return status;
}

void
rig_kill(struct rig *r)
{
	kill(r->pid, SIGKILL);
	forget_process(r);
}

void
rig_stop(struct rig *r)
{
	struct message_stop m = {.drain_ms = 5000};

	channel_free(&r->submission);
	cr_assert_eq(channel_send(r->main, MESSAGE_STOP, &m, -1), 0);
	until(r, &r->is_stopped);
	cr_assert_eq(forget_process(r), 0, "it ends without a stain");
}

static void
remove_directory(const char *name)
{
	remove_files(name);
	rmdir(name);
}

static void
forget_attempts(struct rig *r)
{
	for (unsigned i = 0; i < r->attempt_count; i++) {
		mem_free(r->attempts[i].header);
		mem_free(r->attempts[i].body);
	}
	r->attempt_count = 0;
}

void
rig_end(struct rig *r)
{
	if (r->pid)
		rig_stop(r);
	forget_attempts(r);
	munmap(r->disk, sizeof *r->disk);
	rig_disk = r->disk = NULL;
	remove_directory(r->directory);
	event_base_free(r->base);
}

unsigned
rig_descriptors(struct rig *r)
{
	char name[64];
	unsigned n = 0;
	DIR *d;

	rig_wait(r, 50);
	snprintf(name, sizeof name, "/proc/%d/fd", (int)r->pid);
	d = opendir(name);
	cr_assert(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* ---- the log ---- */

int
rig_keep_log(void)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	cr_assert_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	return fd;
}

const char *
rig_logged(int log)
{
	static char text[65536];
	ssize_t n = pread(log, text, sizeof text - 1, 0);

	cr_assert_geq(n, 0);
	text[n] = '\0';
	return text;
}

bool
rig_has_line(int log, const char *first, const char *second)
{
	for (const char *at = rig_logged(log); (at = strstr(at, first)); at++) {
		const char *end = strchr(at, '\n'), *found = strstr(at, second);

		if (found && (!end || found < end))
			return true;
	}
	return false;
}

unsigned
rig_count_words(int log, const char *words)
{
	unsigned count = 0;

	for (const char *at = rig_logged(log); (at = strstr(at, words)); at += strlen(words))
		count++;
	return count;
}
