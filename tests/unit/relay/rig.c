#include "unit/relay/rig.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conf/read.h"
#include "unit/relay/routes.h"
#include "mail/body_facts.h"
#include "mail/envelope.h"
#include "relay/relay.h"
#include "support/ask.h"
#include "support/fault_channel.h"

static void
copy_text(char *to, size_t size, struct str s)
{
	snprintf(to, size, "%.*s", STR_ARG(s));
}

/* ---- messages from the role ---- */

static void
record_result(struct rig *r, const struct message_result *m)
{
	struct rig_result *to = &r->results[r->result_count];

	if (r->result_count == RIG_RESULTS_MAX)
		return;
	*to = (struct rig_result){.status = m->status,
	    .attempt_id = m->attempt_id,
	    .id = m->id,
	    .recipient = m->recipient,
	    .port = m->port,
	    .is_last = m->is_last,
	    .dsn_passed_on = m->dsn_passed_on};
	copy_text(to->reason, sizeof to->reason, m->reason);
	copy_text(to->host, sizeof to->host, m->host);
	copy_text(to->address, sizeof to->address, m->address);
	copy_text(to->tls, sizeof to->tls, m->tls);
	r->result_count++;
}

static void
from_role(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct rig *r = arg;

	(void)c;
	if (p->type == MESSAGE_READY)
		r->is_ready = true;
	if (p->type == MESSAGE_STOPPED)
		r->is_stopped = true;
	if (p->type == MESSAGE_RESULT)
		record_result(r, &p->message->result);
	if (p->type == MESSAGE_RUNNING)
		r->running_count++;
}

static void
got_running(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct rig *r = arg;

	(void)p;
	r->caught_up += end == REQUEST_ANSWERED;
}

static void
ask_running(struct rig *r)
{
	struct message_running_ask m = {0};

	(void)ask_pooled(r->queue, MESSAGE_RUNNING_ASK, &m, got_running, r);
}

static void
lost(struct channel *c, void *arg)
{
	struct rig *r = arg;

	if (c == r->main)
		r->is_stopped = true;
}

void
rig_idle(struct rig *r, int ms)
{
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	event_base_loopexit(r->base, &tv);
	event_base_dispatch(r->base);
}

static bool
wait_until(struct rig *r, bool (*is_so)(const struct rig *r, size_t n), size_t n)
{
	int64_t end = clock_mono_ms() + RIG_WAIT_MS;

	while (!is_so(r, n) && clock_mono_ms() < end)
		rig_idle(r, 5);
	return is_so(r, n);
}

static bool
has_results(const struct rig *r, size_t n)
{
	return r->result_count >= n;
}

static bool
is_ready(const struct rig *r, size_t n)
{
	(void)n;
	return r->is_ready;
}

static bool
is_stopped(const struct rig *r, size_t n)
{
	(void)n;
	return r->is_stopped;
}

static bool
has_caught_up(const struct rig *r, size_t n)
{
	return r->caught_up >= n;
}

static bool
has_answer(const struct rig *r, size_t n)
{
	(void)n;
	return r->has_destination;
}

static bool
is_done(const struct rig *r, size_t n)
{
	(void)n;
	return r->is_done;
}

bool
rig_wait(struct rig *r, size_t results)
{
	return wait_until(r, has_results, results);
}

/* ---- life cycle ---- */

static void *
run_role(void *arg)
{
	role_run(&relay_role, ROLE_RELAY, 0, (int)(intptr_t)arg, true);
	return NULL;
}

static struct channel *
pair(struct rig *r, int *other)
{
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	*other = fds[1];
	return channel_new(r->base, fds[0], from_role, lost, r);
}

static void
send_to_role(struct rig *r, enum message_type type, const void *message, int fd)
{
	cr_assert_eq(channel_send(r->main, type, message, fd), 0);
	if (fd >= 0)
		close(fd);
}

static void
grant_file(struct rig *r, struct str name)
{
	struct message_grant m = {.kind = GRANT_FILE, .name = name};
	char path[200];
	int fd;

	copy_text(path, sizeof path, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		send_to_role(r, MESSAGE_GRANT, &m, fd);
}

const char *rig_hosts = "127.0.0.1 localhost\n";
/* no server listens there */
const char *rig_resolv_conf = "nameserver 127.0.0.99\n";

static void
grant_text(struct rig *r, struct str name, const char *text)
{
	struct message_grant m = {.kind = GRANT_FILE, .name = name};
	int fd = memfd_create("file", MFD_CLOEXEC);

	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	send_to_role(r, MESSAGE_GRANT, &m, fd);
}

/* Grants the files that the configuration names before the configuration, as main does.  The
 * system's files are replaced by those of the test. */
static void
grant_files(struct rig *r, const char *text)
{
	struct conf_report report;
	struct conf *conf;

	conf_report_init(&report);
	conf = conf_read_text(str_of(text), &report);
	cr_assert(conf, "%.*s", STR_ARG(buf_str(&report.text)));
	grant_file(r, conf->dns.trust_anchor);
	grant_text(r, conf->dns.resolv_conf, rig_resolv_conf);
	grant_text(r, conf->dns.hosts_file, rig_hosts);
	for (size_t i = 0; i < conf->routes.count; i++)
		if (conf->routes.item[i].ca_file.n)
			grant_file(r, conf->routes.item[i].ca_file);
	conf_drop(&conf);
	conf_report_clear(&report);
}

void
rig_decide_by(struct rig *r, const char *text)
{
	struct conf_report report;

	conf_report_init(&report);
	conf_drop(&r->conf);
	r->conf = conf_read_text(str_of(text), &report);
	cr_assert(r->conf, "%.*s", STR_ARG(buf_str(&report.text)));
	conf_report_clear(&report);
}

void
rig_configure(struct rig *r, const char *conf)
{
	struct message_config m = {.generation = 1};
	int fd = memfd_create("conf", MFD_CLOEXEC);

	grant_files(r, conf);
	rig_decide_by(r, conf);
	cr_assert_eq(write(fd, conf, strlen(conf)), (ssize_t)strlen(conf));
	send_to_role(r, MESSAGE_CONFIG, &m, fd);
}

static struct channel *
connect_peer(struct rig *r, enum role_kind kind)
{
	struct message_peer m = {.role = (uint8_t)kind};
	struct channel *c;
	int other;

	c = pair(r, &other);
	send_to_role(r, MESSAGE_PEER, &m, other);
	return c;
}

struct rig *
rig_new(const char *conf)
{
	struct rig *r = MEM_NEW(struct rig);
	struct message_hello hello = {.build = role_build()};
	struct message_start start = {.slot = 1};
	int other;

	signal(SIGPIPE, SIG_IGN);
	r->base = event_base_new();
	r->main = pair(r, &other);
	cr_assert_eq(pthread_create(&r->thread, NULL, run_role, (void *)(intptr_t)other), 0);
	send_to_role(r, MESSAGE_HELLO, &hello, -1);
	rig_configure(r, conf);
	r->queue = connect_peer(r, ROLE_QUEUE);
	ask_running(r);
	r->control = connect_peer(r, ROLE_CONTROL);
	send_to_role(r, MESSAGE_START, &start, -1);
	cr_assert(wait_until(r, is_ready, 0), "relay did not start");
	cr_assert(wait_until(r, has_caught_up, 1));
	return r;
}

void
rig_new_queue(struct rig *r)
{
	unsigned before = r->caught_up;

	channel_free(&r->queue);
	r->result_count = r->running_count = 0;
	r->queue = connect_peer(r, ROLE_QUEUE);
	ask_running(r);
	cr_assert(wait_until(r, has_caught_up, before + 1));
}

void
rig_new_queue_with_faults(struct rig *r)
{
	struct message_peer m = {.role = ROLE_QUEUE};
	unsigned before = r->caught_up;
	int ends[2];

	channel_free(&r->queue);
	fault_channel_free(&r->faults);
	r->faults = fault_channel_new(ends);
	r->queue = channel_new(r->base, ends[0], from_role, lost, r);
	send_to_role(r, MESSAGE_PEER, &m, ends[1]);
	ask_running(r);
	cr_assert(wait_until(r, has_caught_up, before + 1));
}

void
rig_stop(struct rig *r, uint32_t drain_ms)
{
	struct message_stop stop = {.drain_ms = drain_ms};

	send_to_role(r, MESSAGE_STOP, &stop, -1);
}

void
rig_free(struct rig **p)
{
	struct message_stop stop = {.drain_ms = 200};
	struct rig *r = *p;

	if (!r->is_stopped)
		send_to_role(r, MESSAGE_STOP, &stop, -1);
	cr_expect(wait_until(r, is_stopped, 0), "relay did not stop");
	pthread_join(r->thread, NULL);
	channel_free(&r->queue);
	channel_free(&r->control);
	channel_free(&r->main);
	conf_drop(&r->conf);
	fault_channel_free(&r->faults);
	event_base_free(r->base);
	mem_free(r);
	*p = NULL;
}

/* ---- messages of the queue ---- */

static int
body_file(size_t bytes)
{
	int fd = memfd_create("body", MFD_CLOEXEC);
	char block[4096];

	for (size_t i = 0; i < sizeof block; i++)
		block[i] = i % 64 == 62 ? '\r' : i % 64 == 63 ? '\n' : i % 64 == 0 ? '.' : 'x';
	for (size_t at = 0; at < bytes; at += sizeof block)
		cr_assert_eq(write(fd, block, sizeof block), (ssize_t)sizeof block);
	return fd;
}

static void
send_deliver(struct rig *r, const struct rig_mail *mail, struct envelope *e, int fd)
{
	char text[NEXT_HOP_ROOM];
	struct message_deliver m = {.attempt_id = mail->attempt_id,
	    .destination = STR("hosts"),
	    .attempt = 1,
	    .next_hop = next_hop_text(r->conf, str_of(mail->domain), text),
	    .body_in_file = mail->file_bytes > 0,
	    .header = str_of(mail->header ? mail->header : "Subject: test\r\n"),
	    .body = str_of(mail->file_bytes ? ""
	                   : mail->body     ? mail->body
	                                    : "Hello\r\n.dot\r\n")};
	unsigned char numbers[32] = {0};
	struct buf envelope;

	for (uint32_t i = 0; i < e->recipient_count; i++)
		numbers[4 * i] = (unsigned char)(i + 1);
	buf_init(&envelope, ENVELOPE_BYTES_MAX);
	cr_assert(envelope_encode(e, &envelope));
	m.envelope = buf_str(&envelope);
	m.numbers = str_make((char *)numbers, 4 * e->recipient_count);
	cr_assert_eq(channel_send(r->queue, MESSAGE_DELIVER, &m, fd), 0);
	buf_clear(&envelope);
}

void
rig_deliver(struct rig *r, const struct rig_mail *mail)
{
	struct envelope_recipient to[8] = {{.notify = 0}};
	struct envelope e = {.id = {1000 + mail->attempt_id, 1},
	    .sender = STR("alice@example.com"),
	    .recipients = to,
	    .smtputf8 = mail->smtputf8,
	    .facts = mail->has_facts ? BODY_FACTS_KNOWN : 0,
	    .body_bytes = mail->file_bytes};
	int fd = mail->file_bytes ? body_file(mail->file_bytes) : -1;

	for (; e.recipient_count < 8 && mail->to[e.recipient_count]; e.recipient_count++)
		to[e.recipient_count].address = str_of(mail->to[e.recipient_count]);
	send_deliver(r, mail, &e, fd);
	if (fd >= 0)
		close(fd);
}

void
rig_send(struct rig *r, const struct message_deliver *m)
{
	cr_assert_eq(channel_send(r->queue, MESSAGE_DELIVER, m, -1), 0);
}

void
rig_stored(struct rig *r, size_t index)
{
	struct message_result_stored m = {.attempt_id = r->results[index].attempt_id,
	    .recipient = r->results[index].recipient,
	    .id = r->results[index].id};

	cr_assert_eq(channel_send(r->queue, MESSAGE_RESULT_STORED, &m, -1), 0);
}

static void
got_destination(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct rig *r = arg;

	r->destination_end = end;
	r->has_destination = true;
	if (!p)
		return;
	copy_text(r->destination, sizeof r->destination, p->message->destination.destination);
	r->destination_status = p->message->destination.status;
}

void
rig_ask_destination(struct rig *r, const char *domain)
{
	char text[NEXT_HOP_ROOM];
	struct message_destination_ask m = {
	    .next_hop = next_hop_text(r->conf, str_of(domain), text)};

	r->has_destination = false;
	(void)ask_pooled(r->queue, MESSAGE_DESTINATION_ASK, &m, got_destination, r);
	cr_assert(wait_until(r, has_answer, 0), "no destination for %s", domain);
}

static void
got_row(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct rig *r = arg;
	struct str rest, key, value;
	size_t n = strlen(r->rows);

	if (end != REQUEST_ROW) {
		r->is_done = true;
		r->exit_code = p ? p->message->admin_done.exit_code : -1;
		if (p)
			copy_text(r->done_text, sizeof r->done_text, p->message->admin_done.text);
		return;
	}
	rest = p->message->admin_row.values;
	while (message_values_next(&rest, &key, &value) && n < sizeof r->rows)
		n += (size_t)snprintf(
		    r->rows + n, sizeof r->rows - n, "%.*s=%.*s ", STR_ARG(key), STR_ARG(value));
	r->row_count++;
}

void
rig_test_route(struct rig *r, const char *address)
{
	struct message_admin m = {.verb = STR("route.test"), .by = STR("root")};
	struct buf values;

	r->is_done = false;
	r->rows[0] = '\0';
	r->row_count = 0;
	buf_init(&values, 4096);
	message_values_add(&values, "address", str_of(address));
	m.values = buf_str(&values);
	(void)ask_pooled(r->control, MESSAGE_ADMIN, &m, got_row, r);
	buf_clear(&values);
	cr_assert(wait_until(r, is_done, 0), "no answer for %s", address);
}

void
rig_result_is(const struct rig_result *r, unsigned code, const char *reason)
{
	cr_expect_eq(r->status.code, code, "code is %u: %s", r->status.code, r->status.text);
	cr_expect_str_eq(r->reason, reason, "reason is %s: %s", r->reason, r->status.text);
}
