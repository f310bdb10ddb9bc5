/*
 * adminbench: how long commands of the operator take in a queue of many messages: the first rows of
 * `queue list`, all of them, a list whose filter fits one message, and hold, release and delete of
 * all messages of one user; and meanwhile the longest time that the queue does not answer another
 * command (queue.status).  Control and the tool have no part in it.  The spool is made in DIRECTORY, which must be empty, and is removed at
 * the end.  Not part of make check.
 *
 *	adminbench DIRECTORY [MESSAGES [OTHERS]]
 *
 * The user has MESSAGES, and OTHERS are of other users.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ipc/channel.h"
#include "ipc/role.h"
#include "mail/envelope.h"
#include "queue/queue.h"
#include "spool/spool.h"
#include "support/ask.h"
#include "support/remove_files.h"

enum { BODY_BYTES = 1000, AT_ONCE = 1000, DOMAINS = 500, STATUS_EVERY_MS = 5 };

static const char header[] = "From: Alice <alice@example.com>\r\nSubject: the weekly report\r\n";

struct adminbench {
	const char *directory;
	unsigned messages, others;
	unsigned waiting;
	struct spool *spool;
	struct event_base *base;
	struct channel *main, *control;
	struct event *status_timer;
	clockid_t cpu; /* of the queue */
	bool is_ready;
	/* of the running command */
	bool is_done;
	int64_t began_us, first_row_us;
	unsigned rows, ids;
	char text[200];
	/* of the command that is sent meanwhile */
	int64_t status_began_us, longest_us;
};

/* ---- the spool ---- */

static void
adminbench_stored(int error, void *arg)
{
	struct adminbench *b = arg;

	if (error)
		die("adminbench: a message is not stored: %d", error);
	b->waiting--;
}

static void
adminbench_turn(struct adminbench *b)
{
	struct pollfd p = {.fd = spool_fd(b->spool), .events = POLLIN};

	if (poll(&p, 1, 1000) < 0)
		die("adminbench: poll: %m");
	spool_dispatch(b->spool);
}

static void
adminbench_add(struct adminbench *b, struct msgid id, unsigned n)
{
	static char body[BODY_BYTES] = "x\r\n";
	struct envelope_recipient recipient = {0};
	struct envelope envelope = {.id = id, .arrival_ms = id_ms(id.session),
	    .user = STR("alice"), .sender = STR("alice@example.com"), .recipients = &recipient,
	    .recipient_count = 1, .client = STR("192.0.2.77"), .header_bytes = sizeof header - 1,
	    .body_bytes = BODY_BYTES};
	struct spool_entry entry = {.kind = SPOOL_MESSAGE, .id = id};
	struct spool_batch batch = {&entry, 1, SPOOL_NOW, adminbench_stored, b};
	char address[64], user[40];
	struct buf bytes;

	memset(body + 3, 'x', sizeof body - 3);
	snprintf(user, sizeof user, n < b->messages ? "alice" : "user%u", n % 100);
	snprintf(address, sizeof address, "name%u@domain%u.example", n, n % DOMAINS);
	envelope.user = str_of(user);
	recipient.address = str_of(address);
	buf_init(&bytes, ENVELOPE_BYTES_MAX);
	if (!envelope_encode(&envelope, &bytes))
		die("adminbench: the envelope is too large");
	entry.message.recipient_count = 1;
	entry.message.envelope = buf_str(&bytes);
	entry.message.header = str_make(header, sizeof header - 1);
	entry.message.body = str_make(body, sizeof body);
	entry.message.fd = -1;
	if (spool_append(b->spool, &batch) != 0)
		die("adminbench: a message is refused: %m");
	b->waiting++;
	buf_clear(&bytes);
	while (b->waiting >= AT_ONCE)
		adminbench_turn(b);
}

static void
adminbench_fill(struct adminbench *b)
{
	struct spool_options o = {.minimum_free_percent = 1};
	uint64_t session = (uint64_t)(clock_ms() - 60000) << 18;

	o.io = fsio_new(open(b->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	b->spool = spool_open(&o, NULL);
	if (!b->spool)
		die("adminbench: spool_open: %m");
	for (unsigned n = 0; n < b->messages + b->others; n++) {
		struct msgid id = {session + n / 1000, 1 + n % 1000};

		adminbench_add(b, id, n);
	}
	while (b->waiting)
		adminbench_turn(b);
	spool_close(&b->spool);
	fsio_free(&o.io);
}

/* ---- the queue ---- */

static void
adminbench_from_main(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct adminbench *b = arg;

	(void)c;
	b->is_ready |= p->type == MESSAGE_READY;
}

static void
adminbench_lost(struct channel *c, void *arg)
{
	(void)c;
	(void)arg;
	die("adminbench: the queue has ended");
}

static void
adminbench_send(struct adminbench *b, enum message_type type, const void *message, int fd)
{
	if (channel_send(b->main, type, message, fd) != 0)
		die("adminbench: channel_send: %m");
	close(fd);
}

static void
adminbench_configure(struct adminbench *b)
{
	static const char text[] = "hostname = \"gw.test\"; domains = ( { name = \"example.com\"; }"
				   " );\nqueue: { minimum_free = \"0%\"; };\n"
				   "routes: ( { via = \"mx\"; } );\n";
	struct message_config m = {.generation = 1};
	int fd = memfd_create("config", MFD_CLOEXEC);

	if (write(fd, text, sizeof text - 1) != (ssize_t)sizeof text - 1)
		die("adminbench: write: %m");
	adminbench_send(b, MESSAGE_CONFIG, &m, fd);
}

static pid_t
adminbench_start(struct adminbench *b)
{
	struct message_grant grant = {.kind = GRANT_SPOOL, .name = str_of(b->directory)};
	struct message_peer peer = {.role = ROLE_CONTROL, .number = 1};
	struct message_start start = {.slot = 1};
	int ends[2], control[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0 ||
	    channel_pair(control) != 0)
		die("adminbench: a channel cannot be made: %m");
	pid = fork();
	if (pid == 0) {
		int log = open("/dev/null", O_WRONLY | O_CLOEXEC);

		dup2(log, STDERR_FILENO);
		dup2(ends[1], 3);
		close_range(4, ~0U, 0);
		_exit(role_run(&queue_role, ROLE_QUEUE, 0, 3, true));
	}
	close(ends[1]);
	b->main = channel_new(b->base, ends[0], adminbench_from_main, adminbench_lost, b);
	adminbench_configure(b);
	adminbench_send(b, MESSAGE_GRANT, &grant,
	    open(b->directory, O_DIRECTORY | O_RDONLY | O_CLOEXEC));
	adminbench_send(b, MESSAGE_PEER, &peer, control[1]);
	b->control = channel_new(b->base, control[0], adminbench_from_main, adminbench_lost, b);
	if (channel_send(b->main, MESSAGE_START, &start, -1) != 0)
		die("adminbench: channel_send: %m");
	while (!b->is_ready)
		event_base_loop(b->base, EVLOOP_ONCE);
	return pid;
}

/* ---- commands ---- */

static void
adminbench_status_answered(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct adminbench *b = arg;
	int64_t us = clock_mono_us() - b->status_began_us;

	(void)p;
	if (end == REQUEST_ROW)
		return;
	if (us > b->longest_us)
		b->longest_us = us;
	b->status_began_us = 0;
}

static void
adminbench_ask_status(evutil_socket_t fd, short what, void *arg)
{
	struct message_admin m = {.verb = STR("queue.status"), .by = STR("root")};
	struct timeval soon = {.tv_usec = STATUS_EVERY_MS * 1000};
	struct adminbench *b = arg;

	(void)fd;
	(void)what;
	if (!b->status_began_us) {
		b->status_began_us = clock_mono_us();
		(void)ask_pooled(b->control, MESSAGE_ADMIN, &m, adminbench_status_answered, b);
	}
	evtimer_add(b->status_timer, &soon);
}

static unsigned
adminbench_count_ids(struct str values)
{
	struct str key, value;
	unsigned n = 0;

	while (message_values_next(&values, &key, &value))
		n += str_eq(key, STR("id"));
	return n;
}

static void
adminbench_answered(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct message_admin_taken m = {0};
	struct adminbench *b = arg;

	if (end == REQUEST_ROW) {
		m.bytes = (uint32_t)p->message->admin_row.values.n;
		if (b->rows++ == 0)
			b->first_row_us = clock_mono_us();
		b->ids += adminbench_count_ids(p->message->admin_row.values);
		(void)!channel_ask(b->control, p->call, MESSAGE_ADMIN_TAKEN, &m);
		return;
	}
	if (end != REQUEST_ANSWERED)
		die("adminbench: no answer");
	snprintf(b->text, sizeof b->text, "%.*s", STR_ARG(p->message->admin_done.text));
	b->is_done = true;
}

static double
adminbench_cpu_ms(const struct adminbench *b)
{
	struct timespec t;

	clock_gettime(b->cpu, &t);
	return (double)t.tv_sec * 1000 + (double)t.tv_nsec / 1e6;
}

static void
adminbench_print(const struct adminbench *b, const char *what, int64_t took_us, double cpu_ms)
{
	double first_ms = b->first_row_us ? (double)(b->first_row_us - b->began_us) / 1000 : 0;

	printf("%-46s first row %7.1f ms, all %8.1f ms (CPU of the queue %7.1f ms), %7u ids in "
	       "%7u rows, another command waits at most %6.1f ms; %s%s",
	    what, first_ms, (double)took_us / 1000, cpu_ms, b->ids, b->rows,
	    (double)b->longest_us / 1000, b->text, b->text[0] ? "" : "\n");
	fflush(stdout);
}

static void
adminbench_run(struct adminbench *b, const char *verb, const char *key, const char *value)
{
	struct message_admin m = {.verb = str_of(verb), .by = STR("root")};
	struct buf values;
	double cpu_ms = adminbench_cpu_ms(b);
	char what[100];

	buf_init(&values, 1000);
	if (key)
		message_values_add(&values, key, str_of(value));
	m.values = buf_str(&values);
	b->is_done = false;
	b->rows = b->ids = 0;
	b->longest_us = b->first_row_us = 0;
	b->began_us = clock_mono_us();
	(void)ask_pooled(b->control, MESSAGE_ADMIN, &m, adminbench_answered, b);
	while (!b->is_done)
		event_base_loop(b->base, EVLOOP_ONCE);
	snprintf(what, sizeof what, "%s %s %s", verb, key ? key : "", key ? value : "");
	adminbench_print(b, what, clock_mono_us() - b->began_us, adminbench_cpu_ms(b) - cpu_ms);
	buf_clear(&values);
}

static void
adminbench_commands(struct adminbench *b)
{
	char last[64];

	snprintf(last, sizeof last, "name%u@domain%u.example", b->messages - 1,
	    (b->messages - 1) % DOMAINS);
	b->status_timer = evtimer_new(b->base, adminbench_ask_status, b);
	adminbench_ask_status(-1, 0, b);
	adminbench_run(b, "queue.list", NULL, NULL);
	adminbench_run(b, "queue.list", "to", last);
	adminbench_run(b, "queue.list", "state", "held");
	adminbench_run(b, "queue.hold", "user", "alice");
	adminbench_run(b, "queue.list", "state", "held");
	adminbench_run(b, "queue.release", "user", "alice");
	adminbench_run(b, "queue.delete", "user", "alice");
}

int
main(int argc, char **argv)
{
	struct adminbench b = {.directory = argc > 1 ? argv[1] : "",
	    .messages = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 200000,
	    .others = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0};
	pid_t pid;

	if (argc < 2 || b.messages == 0)
		return fprintf(stderr, "usage: adminbench DIRECTORY [MESSAGES [OTHERS]]\n"), 2;
	b.base = event_base_new();
	adminbench_fill(&b);
	pid = adminbench_start(&b);
	if (clock_getcpuclockid(pid, &b.cpu) != 0)
		die("adminbench: the processor time of the queue is not known");
	adminbench_commands(&b);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	remove_files(b.directory);
	return 0;
}
