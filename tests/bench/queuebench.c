/*
 * queuebench: what a queued message costs in the memory of the queue, and how many messages a start
 * of the queue restores in a second, and in a second of processor time, while the spool is in the
 * page cache.  Not part of make check.
 *
 *	queuebench DIRECTORY [MESSAGES [RECIPIENTS [deferred]]]
 *
 * A spool with so many messages is made in DIRECTORY, which must be empty, and removed at the end.
 * With `deferred`, each recipient has the reply of a first attempt.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conf/read.h"
#include "mail/envelope.h"
#include "queue/last_attempt.h"
#include "queue/queue.h"
#include "queue/queue_internal.h"
#include "support/remove_files.h"

enum { BODY_BYTES = 3000, AT_ONCE = 1000, DOMAINS = 200, USERS = 100 };

static const char header[] =
    "Received: from [192.0.2.77] by gw.test with ESMTPSA id 1R8K3M7Q4TB2-1;\r\n"
    "\tThu, 26 Nov 2026 12:00:00 +0000\r\nFrom: Alice <alice@example.com>\r\n"
    "To: Bob <bob@example.net>\r\nSubject: the weekly report\r\n"
    "Message-ID: <0123456789@gw.test>\r\nDate: Thu, 26 Nov 2026 12:00:00 +0000\r\n";

struct queuebench {
	const char *directory;
	unsigned messages, recipients;
	bool is_deferred;
	unsigned waiting;
	struct spool *spool;
};

/* ---- the spool ---- */

static void
queuebench_stored(int error, void *arg)
{
	struct queuebench *b = arg;

	if (error)
		die("queuebench: a message is not stored: %s", strerror(error));
	b->waiting--;
}

static void
queuebench_turn(struct queuebench *b)
{
	struct pollfd p = {.fd = spool_fd(b->spool), .events = POLLIN};

	if (poll(&p, 1, 1000) < 0)
		die("queuebench: poll: %m");
	spool_dispatch(b->spool);
}

static void
queuebench_encode(const struct queuebench *b, struct msgid id, unsigned n, struct buf *out)
{
	struct envelope_recipient recipients[ENVELOPE_RECIPIENTS_MAX] = {0};
	char texts[ENVELOPE_RECIPIENTS_MAX][40], user[40];
	struct envelope e = {.id = id, .arrival_ms = id_ms(id.session), .recipients = recipients,
	    .recipient_count = b->recipients, .client = STR("192.0.2.77"),
	    .header_bytes = sizeof header - 1, .body_bytes = BODY_BYTES};

	snprintf(user, sizeof user, "user%u@example.com", n % USERS);
	e.user = e.sender = e.header_from = str_of(user);
	for (unsigned i = 0; i < b->recipients; i++) {
		snprintf(texts[i], sizeof texts[i], "name%07u@domain%u.example", n, (n + i) % DOMAINS);
		recipients[i].address = str_of(texts[i]);
	}
	if (!envelope_encode(&e, out))
		die("queuebench: the envelope is too large");
}

static size_t
queuebench_defer(const struct queuebench *b, struct msgid id, struct str detail,
    struct spool_entry *to)
{
	for (uint32_t i = 0; b->is_deferred && i < b->recipients; i++) {
		to[i] = (struct spool_entry){.kind = SPOOL_STATUS, .id = id};
		to[i].status = (struct spool_recipient){.number = i + 1, .outcome = SPOOL_DEFERRED,
		    .attempts = 1, .next_ms = clock_ms() + 3600000, .detail = detail};
	}
	return b->is_deferred ? b->recipients : 0;
}

static void
queuebench_add(struct queuebench *b, unsigned n, struct str detail)
{
	static char body[BODY_BYTES];
	static struct spool_entry entries[1 + ENVELOPE_RECIPIENTS_MAX];
	struct msgid id = {(uint64_t)(clock_ms() - 60000) << 18 | (n & 0x3ffff), 1 + n / 0x3ffff};
	struct spool_batch batch = {entries, 1, SPOOL_NOW, queuebench_stored, b};
	struct buf envelope;

	memset(body, 'x', sizeof body);
	buf_init(&envelope, ENVELOPE_BYTES_MAX);
	queuebench_encode(b, id, n, &envelope);
	entries[0] = (struct spool_entry){.kind = SPOOL_MESSAGE, .id = id};
	entries[0].message.recipient_count = b->recipients;
	entries[0].message.envelope = buf_str(&envelope);
	entries[0].message.header = STR(header);
	entries[0].message.body = str_make(body, sizeof body);
	entries[0].message.fd = -1;
	batch.count += queuebench_defer(b, id, detail, entries + 1);
	if (spool_append(b->spool, &batch) != 0)
		die("queuebench: a message is refused: %m");
	b->waiting++;
	buf_clear(&envelope);
	while (b->waiting >= AT_ONCE)
		queuebench_turn(b);
}

static int
queuebench_fill(struct queuebench *b)
{
	struct spool_options o = {.minimum_free_percent = 1};
	struct last_attempt last = {.at_ms = clock_ms(), .host = STR("mx1.domain.example"),
	    .address = STR("192.0.2.25"),
	    .status = smtp_status_make(451, "4.7.1", "Greylisted, please try again in 300 seconds")};
	struct buf detail;

	buf_init(&detail, SPOOL_DETAIL_MAX);
	last_attempt_encode(&last, &detail);
	o.io = fsio_new(open(b->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	b->spool = spool_open(&o, NULL);
	if (!b->spool)
		return perror("spool_open"), 1;
	for (unsigned n = 0; n < b->messages; n++)
		queuebench_add(b, n, buf_str(&detail));
	while (b->waiting)
		queuebench_turn(b);
	spool_close(&b->spool);
	fsio_free(&o.io);
	buf_clear(&detail);
	return 0;
}

/* ---- the queue ---- */

/* The resident memory of this process that is not a file's. */
static long
queuebench_resident_kb(void)
{
	char line[200];
	FILE *f = fopen("/proc/self/status", "re");
	long kb = -1;

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "RssAnon: %ld", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

static double
queuebench_seconds(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
queuebench_print(const struct queuebench *b, long kb, double seconds, double cpu_seconds)
{
	double bytes = (double)kb * 1024 / b->messages;

	printf("%8u messages of %4u recipients%s: %6.0f bytes/message %6.0f bytes/recipient"
	       " %9.0f messages/s %9.0f messages/s of CPU\n",
	    b->messages, b->recipients, b->is_deferred ? ", deferred" : "", bytes,
	    bytes / b->recipients, b->messages / seconds, b->messages / cpu_seconds);
}

/* Starts the role as main does, without a sandbox and without peers. */
static int
queuebench_start(struct queuebench *b)
{
	struct message_grant grant = {.kind = GRANT_SPOOL, .name = str_of(b->directory)};
	struct conf_report report = {0};
	struct role role = {.spec = &queue_role, .kind = ROLE_QUEUE, .base = event_base_new()};
	double began, cpu_began, ended, cpu_ended;
	long before_kb;
	int status;

	STAILQ_INIT(&role.waiting);
	role.conf = conf_read_text(STR("hostname = \"gw.test\"; domains = ( { name = "
	    "\"example.com\"; } );\n queue: { minimum_free = \"0%\"; };\n"), &report);
	if (!role.conf)
		die("queuebench: the configuration is refused");
	queue_role.grant(&role, &grant, open(b->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	before_kb = queuebench_resident_kb();
	began = queuebench_seconds(CLOCK_MONOTONIC);
	cpu_began = queuebench_seconds(CLOCK_PROCESS_CPUTIME_ID);
	status = queue_role.start(&role);
	if (status != 0)
		return status;
	ended = queuebench_seconds(CLOCK_MONOTONIC);
	cpu_ended = queuebench_seconds(CLOCK_PROCESS_CPUTIME_ID);
	queuebench_print(b, queuebench_resident_kb() - before_kb, ended - began,
	    cpu_ended - cpu_began);
	return 0;
}

static int
queuebench_run(int (*fn)(struct queuebench *b), struct queuebench *b)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0) {
		status = fn(b);
		fflush(NULL);
		_exit(status);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	return status;
}

int
main(int argc, char **argv)
{
	struct queuebench b = {.directory = argc > 1 ? argv[1] : "",
	    .messages = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 200000,
	    .recipients = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 1,
	    .is_deferred = argc > 4};
	int status;

	if (argc < 2 || b.messages == 0 || b.recipients == 0 ||
	    b.recipients > ENVELOPE_RECIPIENTS_MAX)
		return fprintf(stderr,
		    "usage: queuebench DIRECTORY [MESSAGES [RECIPIENTS [deferred]]]\n"), 2;
	if (rmdir(b.directory) != 0 || mkdir(b.directory, 0700) != 0)
		return perror(b.directory), 1;
	status = queuebench_run(queuebench_fill, &b);
	for (int i = 0; i < 3 && status == 0; i++)
		status = queuebench_run(queuebench_start, &b);
	remove_files(b.directory);
	return status != 0;
}
