#include "rig.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/fsio.h"
#include "queue/queue.h"
#include "queue/spool.h"
#include "support/ask.h"
#include "support/fault_channel.h"

enum { PATIENCE_S = 30 };

#ifdef __SANITIZE_ADDRESS__
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
from_main(struct channel *c, const struct packet *p, void *arg)
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
}

static void
lost(struct channel *c, void *arg)
{
	struct rig *r = arg;
	struct channel **all[] = {&r->main, &r->submission, &r->relay, &r->control};

	if (c == r->main)
		r->is_dead = true;
	else
		r->ends_lost++;
	for (size_t i = 0; i < 4; i++)
		if (*all[i] == c)
			channel_free(all[i]);
}

static struct channel *
give_end(struct rig *r, enum role_kind kind, channel_fn *fn, int ends[2])
{
	struct message_peer m = {.role = (uint8_t)kind, .number = ++r->pairs};

	if (kind == ROLE_SUBMISSION)
		m.index = (uint8_t)r->submission_index;
	cr_assert_eq(channel_send(r->main, MESSAGE_PEER, &m, ends[1]), 0);
	close(ends[1]);
	return channel_new(r->base, ends[0], fn, lost, r);
}

static struct channel *
give_peer(struct rig *r, enum role_kind kind, channel_fn *fn)
{
	int ends[2];

	cr_assert_eq(channel_pair(ends), 0);
	return give_end(r, kind, fn, ends);
}

static void
send_config(struct rig *r)
{
	struct message_config m = {.generation = 1};
	char text[2048];
	int fd = memfd_create("config", MFD_CLOEXEC);
	int n = snprintf(text, sizeof text,
	    "hostname = \"gw.test\"; domains = ( { name = \"example.com\"; } );\n"
	    "limits: { per_user = \"100 recipients / 1h\"; };\n"
	    "queue: { %s %s };\n",
	    strstr(r->queue_conf, "minimum_free") ? "" : "minimum_free = \"0%\";", r->queue_conf);

	cr_assert_eq(write(fd, text, (size_t)n), n);
	cr_assert_eq(channel_send(r->main, MESSAGE_CONFIG, &m, fd), 0);
	close(fd);
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

/* What the role leaves behind is its fault, and seen in the exit status. */
static void
leave(int status)
{
#ifdef __SANITIZE_ADDRESS__
	if (__lsan_do_recoverable_leak_check())
		status = 99;
#endif
	_exit(status);
}

static void from_control(struct channel *c, const struct packet *p, void *arg);
static void from_submission(struct channel *c, const struct packet *p, void *arg);

/* ---- the disk, in the queue's process ---- */

static struct rig_disk *rig_disk;
static const struct fsio_ops *rig_real;
static struct fsio_ops rig_ops;

static bool
rig_holds(const void *p, ssize_t n, const char *words)
{
	return words[0] && n > 0 && memmem(p, (size_t)n, words, strlen(words));
}

static ssize_t
rig_pread(struct fsio *f, int fd, void *p, size_t n, off_t at)
{
	ssize_t got = rig_real->pread(f, fd, p, n, at);

	rig_disk->reads++;
	while (rig_disk->is_shut)
		usleep(1000);
	if (rig_holds(p, got, rig_disk->stuck) && rig_disk->let_through-- <= 0) {
		rig_disk->stood++;
		while (rig_holds(p, got, rig_disk->stuck))
			usleep(1000);
	}
	if (rig_holds(p, got, rig_disk->unreadable)) {
		errno = EIO;
		return -1;
	}
	if (rig_holds(p, got, rig_disk->wrong) && rig_disk->wrong_reads-- > 0) {
		const char *words = memmem(p, (size_t)got, rig_disk->wrong, strlen(rig_disk->wrong));

		((char *)p)[words - (char *)p] ^= 1;
	}
	return got;
}

/* What is put aside is not of the log. */
static atomic_int rig_aside_fd = -1;

static int
rig_open(struct fsio *f, const char *name, int flags)
{
	int fd = rig_real->open(f, name, flags);

	if (strstr(name, ".aside"))
		rig_aside_fd = fd;
	return fd;
}

static int
rig_close(struct fsio *f, int fd)
{
	if (fd == rig_aside_fd)
		rig_aside_fd = -1;
	return rig_real->close(f, fd);
}

static bool
rig_writes(int fd, const struct iovec *v, int count, const char *words)
{
	bool is_in = false;

	for (int n = 0; n < count && fd != rig_aside_fd; n++)
		is_in |= rig_holds(v[n].iov_base, (ssize_t)v[n].iov_len, words);
	return is_in;
}

static ssize_t
rig_pwritev(struct fsio *f, int fd, const struct iovec *v, int count, off_t at)
{
	if (rig_writes(fd, v, count, rig_disk->unwritten)) {
		rig_disk->unwritten_stood++;
		while (rig_disk->unwritten[0])
			usleep(1000);
	}
	if (rig_writes(fd, v, count, rig_disk->unwritable) && rig_disk->failing_writes-- > 0) {
		errno = EIO;
		return -1;
	}
	return rig_real->pwritev(f, fd, v, count, at);
}

static int
rig_open_nameless(struct fsio *f)
{
	rig_disk->opens++;
	while (rig_disk->opens_nothing)
		usleep(1000);
	return rig_real->open_nameless(f);
}

/* So much is free as the test says, whatever runs on the machine. */
static int
rig_space(struct fsio *f, uint64_t *free_out, uint64_t *total_out)
{
	int result = rig_real->space(f, free_out, total_out);

	while (rig_disk->is_space_stuck)
		usleep(1000);
	*free_out = *total_out / 100 * rig_disk->free_percent;
	return result;
}

struct fsio *__real_fsio_new(int directory_fd);
struct fsio *__wrap_fsio_new(int directory_fd);

struct fsio *
__wrap_fsio_new(int directory_fd)
{
	struct fsio *io = __real_fsio_new(directory_fd);

	if (!rig_disk)
		return io;
	rig_real = io->ops;
	rig_ops = *io->ops;
	rig_ops.open = rig_open;
	rig_ops.close = rig_close;
	rig_ops.pread = rig_pread;
	rig_ops.pwritev = rig_pwritev;
	rig_ops.open_nameless = rig_open_nameless;
	rig_ops.space = rig_space;
	io->ops = &rig_ops;
	return io;
}

void __real_spool_read(struct spool *s, struct spool_reading *r, struct msgid id,
    spool_content_fn *fn, void *arg);
void __wrap_spool_read(struct spool *s, struct spool_reading *r, struct msgid id,
    spool_content_fn *fn, void *arg);

void
__wrap_spool_read(
    struct spool *s, struct spool_reading *r, struct msgid id, spool_content_fn *fn, void *arg)
{
	if (rig_disk)
		rig_disk->reads_asked++;
	__real_spool_read(s, r, id, fn, arg);
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
		/* a disk that stands still would keep it */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(ends[1], 3);
		close_range(4, ~0U, 0);
		leave(role_run(&queue_role, ROLE_QUEUE, 0, 3, IS_THREAD));
	}
	close(ends[1]);
	r->is_ready = r->is_stopped = r->is_dead = false;
	r->main = channel_new(r->base, ends[0], from_main, lost, r);
	send_config(r);
	send_grant(r);
	rig_submission(r);
	r->control = give_peer(r, ROLE_CONTROL, from_control);
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
	DIR *d = opendir(name);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	rmdir(name);
}

static void
forget_jobs(struct rig *r)
{
	for (unsigned i = 0; i < r->job_count; i++) {
		mem_free(r->jobs[i].header);
		mem_free(r->jobs[i].body);
	}
	r->job_count = 0;
}

void
rig_end(struct rig *r)
{
	if (r->pid)
		rig_stop(r);
	forget_jobs(r);
	munmap(r->disk, sizeof *r->disk);
	rig_disk = r->disk = NULL;
	remove_directory(r->directory);
	event_base_free(r->base);
}

/* ---- as relay ---- */

static void
answer_site(struct rig *r, const struct packet *p)
{
	struct str domain = p->message->site_ask.domain;
	struct message_site m = {.domain = domain, .site = domain, .ttl_s = 300};

	r->asked++;
	if (r->refuses_sites) {
		channel_refuse(r->relay, p->call);
		return;
	}
	if (r->mistypes_sites) {
		cr_assert_eq(channel_answer(r->relay, p->call, MESSAGE_VERDICT,
				 &(struct message_verdict){0}, -1), 0);
		return;
	}
	if (str_starts(domain, STR("nx."))) {
		m.site = STR_NULL;
		m.status = status_make(550, "5.1.2", "No such domain");
	}
	cr_assert_eq(channel_answer(r->relay, p->call, MESSAGE_SITE, &m, -1), 0);
}

static void
copy_text(char *to, size_t size, struct str from)
{
	snprintf(to, size, "%.*s", STR_ARG(from));
}

static void
take_job(struct rig *r, const struct packet *p)
{
	const struct message_deliver *m = &p->message->deliver;
	struct rig_job *job = &r->jobs[r->job_count];
	struct envelope e;
	struct arena arena;

	cr_assert_lt(r->job_count, RIG_JOBS_MAX);
	arena_init(&arena, 1 << 20);
	cr_assert(envelope_decode(m->envelope, &arena, &e));
	*job =
	    (struct rig_job){.number = m->job, .ticket = m->ticket, .id = e.id, .attempt = m->attempt, .kind = e.kind};
	job->count = m->numbers.n / 4;
	cr_assert_leq(job->count, 16);
	memcpy(job->numbers, m->numbers.p, m->numbers.n);
	copy_text(job->domain, sizeof job->domain, m->domain);
	copy_text(job->sender, sizeof job->sender, e.sender);
	copy_text(job->to, sizeof job->to, e.recipients[job->numbers[0] - 1].address);
	job->header = mem_text(m->header.p, m->header.n);
	job->body_n = m->body.n;
	if (m->body_in_file) {
		cr_assert_geq(p->fd, 0);
		job->body_n = (size_t)lseek(p->fd, 0, SEEK_END);
		close(p->fd);
	}
	job->body = mem_text(m->body.p, m->body.n);
	arena_clear(&arena);
	r->job_count++;
}

void
rig_caught_up(struct rig *r)
{
	struct message_caught_up m = {0};

	cr_assert_eq(channel_answer(r->relay, r->running_call, MESSAGE_CAUGHT_UP, &m, -1), 0);
}

static void
take_cancel(struct rig *r, const struct message_cancel *m)
{
	r->cancels++;
	r->cancelled = m->job;
	r->is_forced = m->is_forced;
}

static void
from_relay_peer(struct channel *c, const struct packet *p, void *arg)
{
	struct rig *r = arg;

	(void)c;
	if (p->type == MESSAGE_RUNNING_ASK) {
		r->running_call = p->call;
		r->running_asked++;
		if (r->is_caught_up)
			rig_caught_up(r);
	} else if (p->type == MESSAGE_SITE_ASK && r->is_silent)
		r->asked++;
	else if (p->type == MESSAGE_SITE_ASK)
		answer_site(r, p);
	else if (p->type == MESSAGE_DELIVER)
		take_job(r, p);
	else if (p->type == MESSAGE_CANCEL)
		take_cancel(r, &p->message->cancel);
	else if (p->type == MESSAGE_RESULT_STORED && r->stored < RIG_STORED_MAX)
		r->stored_list[r->stored++] = p->message->result_stored;
}

void
rig_relay(struct rig *r, bool caught_up)
{
	unsigned before = r->running_asked;

	r->is_caught_up = caught_up;
	r->relay = give_peer(r, ROLE_RELAY, from_relay_peer);
	rig_until(r, &r->running_asked, before + 1);
}

void
rig_relay_gone(struct rig *r)
{
	channel_free(&r->relay);
}

const struct rig_job *
rig_job(struct rig *r, unsigned index)
{
	rig_until(r, &r->job_count, index + 1);
	return &r->jobs[index];
}

void
rig_result(struct rig *r, const struct rig_job *job, size_t n, unsigned code, const char *reason)
{
	struct message_result m = {.job = job->number,
	    .ticket = job->ticket,
	    .id = job->id,
	    .recipient = job->numbers[n],
	    .reason = str_of(reason),
	    .host = STR("mx.example.net"),
	    .address = STR("192.0.2.25"),
	    .port = 25,
	    .source = STR("198.51.100.1"),
	    .tls = STR("opportunistic")};

	m.status = status_make(code, NULL, "remote text %u", code);
	m.status.is_remote = true;
	if (strcmp(reason, "connect") == 0)
		m.status = status_make(code, "4.4.1", "connection refused");
	m.dsn_passed_on = r->is_passed_on;
	m.is_delivered = r->is_delivered;
	m.is_last = n + 1 == job->count;
	m.was_ready = strcmp(reason, "connect") != 0;
	cr_assert_eq(channel_send(r->relay, MESSAGE_RESULT, &m, -1), 0);
}

void
rig_results(struct rig *r, const struct rig_job *job, unsigned code, const char *reason)
{
	for (size_t i = 0; i < job->count; i++)
		rig_result(r, job, i, code, reason);
}

/* ---- as submission ---- */

static void
from_submission(struct channel *c, const struct packet *p, void *arg)
{
	struct rig *r = arg;

	(void)c;
	r->recalls += p->type == MESSAGE_LEASE_RECALL;
	if (p->type == MESSAGE_ROOM) {
		r->room = p->message->room;
		r->rooms++;
	}
}

void
rig_submission(struct rig *r)
{
	r->submission = give_peer(r, ROLE_SUBMISSION, from_submission);
}

void
rig_submission_through(struct rig *r)
{
	int ends[2];

	fault_channel_free(&r->between);
	r->between = fault_channel_new(ends);
	r->submission = give_end(r, ROLE_SUBMISSION, from_submission, ends);
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

static void
got_verdict(enum request_end end, const struct packet *p, void *arg)
{
	struct rig *r = arg;

	r->end = end;
	r->verdict = p ? p->message->verdict.status : (struct status){0};
	if (p && p->fd >= 0)
		r->fd = p->fd;
	r->verdicts_ok += p && r->verdict.code == 250;
	if (p && str_starts(str_of(r->verdict.text), STR("Queued as ")) &&
	    r->acked_count < RIG_JOBS_MAX)
		r->acked_count += msgid_parse(str_from(str_of(r->verdict.text), 10),
		    &r->acked[r->acked_count], &(uint32_t){0});
	r->verdicts++;
}

struct msgid
rig_id(uint64_t n)
{
	return (struct msgid){((uint64_t)INT64_C(1795000000000) << 18) + n, 1};
}

void
rig_commit_soon(struct rig *r, struct msgid id, const char *sender, const char *const *to)
{
	static const char header[] = "From: alice@example.com\r\nMessage-ID: <x@y>\r\n";
	static const char body[] = "Hello, world\r\n";
	struct recipient recipients[RIG_RECIPIENTS_MAX] = {0};
	struct message_commit m = {.header = STR(header), .body = STR(body)};
	struct envelope e = {.id = id,
	    .arrival_ms = clock_ms(),
	    .user = STR("alice@example.com"),
	    .sender = str_of(sender),
	    .header_from = STR("alice@example.com"),
	    .header_bytes = sizeof header - 1,
	    .body_bytes = sizeof body - 1,
	    .recipients = recipients};
	struct buf envelope;

	if (r->fd >= 0) {
		m.in_file = true;
		m.body = STR_NULL;
		e.body_bytes = RIG_FD_BODY;
	}
	for (; to[e.recipient_count]; e.recipient_count++)
		recipients[e.recipient_count] = (struct recipient){
		    .address = str_of(to[e.recipient_count]), .notify = r->notify};
	buf_init(&envelope, ENVELOPE_BYTES_MAX);
	cr_assert(envelope_encode(&e, &envelope));
	m.envelope = buf_str(&envelope);
	(void)ask(r->submission, MESSAGE_COMMIT, &m, got_verdict, r);
	buf_clear(&envelope);
}

struct status
rig_commit(struct rig *r, struct msgid id, const char *sender, const char *const *to)
{
	unsigned before = r->verdicts;

	rig_commit_soon(r, id, sender, to);
	rig_until(r, &r->verdicts, before + 1);
	return r->verdict;
}

static void
got_lease(enum request_end end, const struct packet *p, void *arg)
{
	struct rig *r = arg;

	r->end = end;
	r->verdict = p ? p->message->lease.status : (struct status){0};
	r->tokens = p ? p->message->lease.tokens : 0;
	r->verdicts++;
}

struct status
rig_lease(struct rig *r, const char *user, uint32_t wanted)
{
	struct message_lease_ask m = {str_of(user), wanted};
	unsigned before = r->verdicts;

	(void)ask(r->submission, MESSAGE_LEASE_ASK, &m, got_lease, r);
	rig_until(r, &r->verdicts, before + 1);
	return r->verdict;
}

void
rig_return(struct rig *r, const char *user, uint32_t tokens, bool is_all)
{
	struct message_lease_return m = {str_of(user), tokens, is_all};

	cr_assert_eq(channel_send(r->submission, MESSAGE_LEASE_RETURN, &m, -1), 0);
}

void
rig_ask_file_soon(struct rig *r, const struct message_spool_file *m)
{
	(void)ask(r->submission, MESSAGE_SPOOL_FILE, m, got_verdict, r);
}

void
rig_ask_file(struct rig *r, const struct message_spool_file *m)
{
	unsigned before = r->verdicts;

	rig_ask_file_soon(r, m);
	rig_until(r, &r->verdicts, before + 1);
}

struct status
rig_ask_commit(struct rig *r, const struct message_commit *m)
{
	unsigned before = r->verdicts;

	(void)ask(r->submission, MESSAGE_COMMIT, m, got_verdict, r);
	rig_until(r, &r->verdicts, before + 1);
	return r->verdict;
}

void
rig_release(struct rig *r, struct msgid id)
{
	struct message_release m = {id.session, id.number};

	cr_assert_eq(channel_send(r->submission, MESSAGE_RELEASE, &m, -1), 0);
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

/* ---- as control ---- */

static void
from_control(struct channel *c, const struct packet *p, void *arg)
{
	(void)c;
	(void)p;
	(void)arg;
}

static void
got_row(enum request_end end, const struct packet *p, void *arg)
{
	struct rig *r = arg;
	struct str values;

	cr_assert(p, "the queue died of it");
	if (end == REQUEST_ANSWERED) {
		r->done = p->message->admin_done;
		copy_text(r->done_text, sizeof r->done_text, r->done.text);
		r->dones++;
		return;
	}
	values = p->message->admin_row.values;
	if (r->row_count < RIG_ROWS_MAX && values.n <= sizeof r->rows[0]) {
		memcpy(r->rows[r->row_count], values.p, values.n);
		r->row_bytes[r->row_count] = values.n;
	}
	r->row_count++;
}

void
rig_admin_soon(struct rig *r, const char *verb, const char *const *values)
{
	struct buf list;
	struct message_admin m = {.verb = str_of(verb), .by = STR("root")};

	buf_init(&list, 65536);
	for (; *values; values += 2)
		message_values_add(&list, values[0], str_of(values[1]));
	m.values = buf_str(&list);
	r->row_count = 0;
	(void)ask(r->control, MESSAGE_ADMIN, &m, got_row, r);
	buf_clear(&list);
}

void
rig_admin(struct rig *r, const char *verb, const char *const *values)
{
	unsigned before = r->dones;

	rig_admin_soon(r, verb, values);
	rig_until(r, &r->dones, before + 1);
}

void
rig_control_gone(struct rig *r)
{
	channel_free(&r->control);
}

struct str
rig_row(struct rig *r, unsigned row, const char *key)
{
	cr_assert_lt(row, r->row_count);
	return message_values_get(str_make(r->rows[row], r->row_bytes[row]), key);
}
