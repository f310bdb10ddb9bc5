/* Attempts that cannot be read, and attempts that run out of time: each ends with a result for
 * every recipient. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "mail/envelope.h"
#include "unit/relay/rig.h"

/* ---- attempts that cannot be read ---- */

static const char fixed[] =
    "hostname = \"gw.example.com\";\n"
    "routes: ( { via = \"smtp\"; host = \"127.0.0.1\"; port = 1; } );\n";

static void
encode(struct buf *out, uint32_t recipients)
{
	struct envelope_recipient to[2] = {
	    {.address = STR("bob@host.test")}, {.address = STR("eva@host.test")}};
	struct envelope e = {.id = {77, 1},
	    .sender = STR("alice@example.com"),
	    .recipients = to,
	    .recipient_count = recipients};

	cr_assert(envelope_encode(&e, out));
}

Test(relay_attempts, an_unreadable_one_has_results_for_all_recipients)
{
	static const struct {
		const char *why;
		bool has_envelope, in_file;
		struct str numbers;
		size_t results;
		uint32_t first;
	} cases[] = {
	    {"no envelope", false, false, STR("\1\0\0\0\2\0\0\0"), 2, 1},
	    {"a number that the envelope does not have", true, false,
	        STR("\1\0\0\0\3\0\0\0"), 2, 1},
	    {"number 0", true, false, STR("\0\0\0\0\2\0\0\0"), 2, 0},
	    {"no numbers", true, false, {"", 0}, 1, 0},
	    {"half a number", true, false, STR("\1\0"), 1, 0},
	    {"neither", false, false, {"", 0}, 1, 0},
	    {"the body's descriptor is missing", true, true, STR("\2\0\0\0"), 1, 2},
	};
	struct rig *r = rig_new(fixed);
	size_t count = 0;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct message_deliver m = {.attempt_id = i + 1,
		    .next_hop = STR("smtp:127.0.0.1"),
		    .numbers = cases[i].numbers,
		    .envelope = STR("\377\377\377"),
		    .body_in_file = cases[i].in_file};
		struct buf envelope;

		buf_init(&envelope, ENVELOPE_BYTES_MAX);
		encode(&envelope, 2);
		if (cases[i].has_envelope)
			m.envelope = buf_str(&envelope);
		rig_send(r, &m);
		cr_assert(rig_wait(r, count + cases[i].results), "%s: no result", cases[i].why);
		cr_expect_eq(r->results[count].recipient, cases[i].first, "%s", cases[i].why);
		for (size_t k = 0; k < cases[i].results; k++, count++) {
			rig_result_is(&r->results[count], 451, "local");
			cr_expect_eq(r->results[count].attempt_id, i + 1);
			cr_expect_eq(r->results[count].is_last, k + 1 == cases[i].results);
			cr_expect_not(r->results[count].status.is_remote);
		}
		buf_clear(&envelope);
	}
	rig_deliver(r,
	    &(struct rig_mail){.attempt_id = 99, .domain = "host.test", .to = {"bob@host.test"}});
	cr_assert(rig_wait(r, count + 1));
	rig_result_is(&r->results[count], 451, "connect");
	rig_free(&r);
}

/* ---- attempts that run out of time ---- */

/* A host that sends its greeting, and answers each line after a pause, or never. */
struct slow_host {
	int fd;
	unsigned port;
	const char *silent_at; /* a command: no reply to it and after it */
	unsigned pause_ms;     /* before each answer */
	unsigned dot_ms;       /* before the answer to the dot */
	atomic_bool had_data;  /* a client sent DATA */
};

static void
answer_slowly(struct slow_host *h, int fd)
{
	FILE *in = fdopen(fd, "r");
	const char *text = "220 slow.test\r\n";
	char line[2000] = "";
	bool is_data = false;

	do {
		if (!is_data || strcmp(line, ".\r\n") == 0) {
			is_data = strncmp(line, "DATA", 4) == 0;
			atomic_store(&h->had_data, h->had_data || is_data);
			if (*line)
				text = is_data ? "354 go\r\n" : "250 slow.test\r\n";
			usleep((*line == '.' ? h->dot_ms : h->pause_ms) * 1000);
			if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
				break;
		}
		if (!fgets(line, sizeof line, in))
			break;
	} while (strncmp(line, h->silent_at, 4) != 0);
	while (fgets(line, sizeof line, in))
		;
	fclose(in);
}

static void *
serve(void *arg)
{
	struct slow_host *h = arg;
	int fd;

	while ((fd = accept(h->fd, NULL, NULL)) >= 0)
		answer_slowly(h, fd);
	return NULL;
}

static void
open_slow_host(struct slow_host *h, const char *silent_at, unsigned pause_ms)
{
	pthread_t thread;

	h->silent_at = silent_at;
	h->pause_ms = pause_ms;
	h->fd = rig_listen(&h->port);
	pthread_create(&thread, NULL, serve, h);
	pthread_detach(thread);
}

static struct rig *
rig_against(const struct slow_host *h, const char *attempt)
{
	static char conf[800];

	snprintf(conf, sizeof conf,
	    "hostname = \"gw.example.com\";\ntimeouts: { attempt = \"%s\"; };\n"
	    "routes: ( { via = \"smtp\"; host = \"127.0.0.1\"; port = %u; } );\n",
	    attempt, h->port);
	return rig_new(conf);
}

static void
expect_results(struct slow_host *h, const char *attempt, unsigned code, const char *reason)
{
	struct rig *r = rig_against(h, attempt);

	rig_deliver(r, &(struct rig_mail){.attempt_id = 1,
	                   .domain = "host.test",
	                   .to = {"bob@host.test", "eva@host.test"}});
	cr_assert(rig_wait(r, 2), "no end at %s", h->silent_at);
	for (size_t i = 0; i < 2; i++)
		rig_result_is(&r->results[i], code, reason);
	cr_expect(r->results[1].is_last);
	rig_free(&r);
}

/* Each phase keeps its own timeout; all phases together exceed that of the attempt. */
Test(relay_attempts, an_attempt_has_a_deadline, .timeout = 60)
{
	static struct slow_host hosts[4];

	open_slow_host(&hosts[0], "EHLO", 0);
	expect_results(&hosts[0], "1s", 451, "timeout");
	open_slow_host(&hosts[1], "RCPT", 0);
	expect_results(&hosts[1], "1s", 451, "timeout");
	open_slow_host(&hosts[2], "DATA", 0);
	expect_results(&hosts[2], "1s", 451, "timeout");
	open_slow_host(&hosts[3], "none", 400);
	expect_results(&hosts[3], "1s", 451, "timeout");
}

/* After the 354 only the timeouts of the phases count. */
Test(relay_attempts, content_is_sent_to_its_end_after_the_deadline, .timeout = 60)
{
	static struct slow_host host = {.dot_ms = 6000};

	open_slow_host(&host, "none", 0);
	expect_results(&host, "5s", 250, "none");
}

/* While one message is being sent, the next one is declined to the queue at once. */
Test(relay_attempts, one_that_comes_while_relay_stops_is_declined, .timeout = 60)
{
	static struct slow_host host = {.dot_ms = 3000};
	struct rig *r;

	open_slow_host(&host, "none", 0);
	r = rig_against(&host, "30s");
	rig_deliver(
	    r, &(struct rig_mail){.attempt_id = 1, .domain = "host.test", .to = {"bob@host.test"}});
	while (!atomic_load(&host.had_data))
		rig_idle(r, 20);
	rig_stop(r, 20000);
	rig_deliver(
	    r, &(struct rig_mail){.attempt_id = 2, .domain = "host.test", .to = {"eva@host.test"}});
	cr_assert(rig_wait(r, 1));
	cr_assert_eq(r->results[0].attempt_id, 2);
	rig_result_is(&r->results[0], 451, "stopping");
	cr_assert_eq(r->results[0].recipient, 0);
	cr_assert(r->results[0].is_last);
	cr_assert(rig_wait(r, 2));
	rig_result_is(&r->results[1], 250, "none");
	rig_free(&r);
}

/* The time of a resolver that does not answer counts as well. */
Test(relay_attempts, the_deadline_includes_dns, .timeout = 60)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t len = sizeof in;
	int64_t began_ms;
	char conf[400];
	struct rig *r;

	cr_assert_eq(bind(fd, (struct sockaddr *)&in, len), 0);
	getsockname(fd, (struct sockaddr *)&in, &len);
	snprintf(conf, sizeof conf,
	    "hostname = \"gw.example.com\";\ntimeouts: { attempt = \"1s\"; };\n"
	    "dns: { resolver = \"127.0.0.1@%u\"; };\n",
	    ntohs(in.sin_port));
	r = rig_new(conf);
	began_ms = clock_mono_ms();
	rig_deliver(
	    r, &(struct rig_mail){.attempt_id = 1, .domain = "a.test", .to = {"bob@a.test"}});
	cr_assert(rig_wait(r, 1));
	rig_result_is(&r->results[0], 451, "timeout");
	cr_expect_geq(clock_mono_ms() - began_ms, 1000);
	rig_free(&r);
	close(fd);
}

/* The queue ends one attempt, in any phase; other attempts and unknown numbers are not affected. */
Test(relay_attempts, one_is_cancelled, .timeout = 60)
{
	static struct slow_host hosts[2] = {{.dot_ms = 0}, {.dot_ms = 600000}};
	static const char *const silent_at[] = {"EHLO", "none"};
	static const char *const reasons[] = {"timeout", "lost"};

	for (size_t i = 0; i < 2; i++) {
		struct message_cancel m = {.attempt_id = 77, .is_forced = true};
		struct rig *r;

		open_slow_host(&hosts[i], silent_at[i], 0);
		r = rig_against(&hosts[i], "1h");
		rig_deliver(r, &(struct rig_mail){.attempt_id = 1,
		                   .domain = "host.test",
		                   .to = {"bob@host.test", "eva@host.test"}});
		rig_idle(r, 500);
		cr_assert_eq(channel_send(r->queue, MESSAGE_CANCEL, &m, -1), 0);
		rig_idle(r, 100);
		cr_assert_eq(r->result_count, 0);
		m.attempt_id = 1;
		cr_assert_eq(channel_send(r->queue, MESSAGE_CANCEL, &m, -1), 0);
		cr_assert(rig_wait(r, 2), "silent at %s", silent_at[i]);
		for (size_t k = 0; k < 2; k++)
			rig_result_is(&r->results[k], 451, reasons[i]);
		cr_expect(r->results[1].is_last);
		rig_free(&r);
	}
}

/* The operator holds or deletes the message: the attempt ends unless the host has the whole
 * message, and the host is not blamed. */
Test(relay_attempts, one_is_cancelled_by_the_operator, .timeout = 60)
{
	static struct slow_host hosts[3];
	static const char *const silent_at[] = {"EHLO", "RCPT", "DATA"};

	for (size_t i = 0; i < 3; i++) {
		struct message_cancel m = {.attempt_id = 1};
		struct rig *r;

		open_slow_host(&hosts[i], silent_at[i], 0);
		r = rig_against(&hosts[i], "1h");
		rig_deliver(r, &(struct rig_mail){.attempt_id = 1,
		                   .domain = "host.test",
		                   .to = {"bob@host.test", "eva@host.test"}});
		rig_idle(r, 500);
		cr_assert_eq(channel_send(r->queue, MESSAGE_CANCEL, &m, -1), 0);
		cr_assert(rig_wait(r, 2), "silent at %s", silent_at[i]);
		for (size_t k = 0; k < 2; k++)
			rig_result_is(&r->results[k], 451, "local");
		cr_expect(r->results[1].is_last);
		rig_free(&r);
	}
}

/* The host has the whole message: only its reply shows whether it was delivered. */
Test(relay_attempts, a_cancelled_one_waits_for_the_final_reply, .timeout = 60)
{
	static struct slow_host host = {.dot_ms = 2000};
	struct message_cancel m = {.attempt_id = 1};
	struct rig *r;

	open_slow_host(&host, "none", 0);
	r = rig_against(&host, "1h");
	rig_deliver(r, &(struct rig_mail){.attempt_id = 1,
	                   .domain = "host.test",
	                   .to = {"bob@host.test", "eva@host.test"}});
	rig_idle(r, 1000);
	cr_assert_eq(channel_send(r->queue, MESSAGE_CANCEL, &m, -1), 0);
	cr_assert(rig_wait(r, 2));
	for (size_t k = 0; k < 2; k++)
		rig_result_is(&r->results[k], 250, "none");
	rig_free(&r);
}

/* ---- content that is not read ---- */

/* Sends 354, and then reads one byte after each pause, or nothing. */
struct slow_reader {
	int fd, pause_ms; /* 0: nothing is read */
	unsigned port;
};

static void *
read_slowly(void *arg)
{
	struct slow_reader *h = arg;
	int fd = accept(h->fd, NULL, NULL);
	char line[2000], verb[5] = "";
	size_t n = 0;

	(void)!send(fd, "220 sips.test\r\n", 15, MSG_NOSIGNAL);
	while (strcmp(verb, "DATA") != 0 && n < sizeof line && recv(fd, line + n, 1, 0) == 1) {
		if (line[n++] != '\n')
			continue;
		snprintf(verb, sizeof verb, "%.4s", line);
		n = 0;
		(void)!send(fd, *verb == 'D' ? "354 go\r\n" : "250 ok\r\n", 8, MSG_NOSIGNAL);
	}
	while (h->pause_ms && recv(fd, line, 1, 0) == 1)
		usleep((useconds_t)h->pause_ms * 1000);
	return NULL; /* fd stays open */
}

static struct rig *
rig_against_slow_reader(struct slow_reader *h, const char *body_timeout)
{
	pthread_t thread;
	char conf[400];
	int little = 4096;

	h->fd = rig_listen(&h->port);
	setsockopt(h->fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
	pthread_create(&thread, NULL, read_slowly, h);
	pthread_detach(thread);
	snprintf(conf, sizeof conf,
	    "hostname = \"gw.example.com\";\ntimeouts: { body = \"%s\"; };\n"
	    "routes: ( { via = \"smtp\"; host = \"127.0.0.1\"; port = %u; } );\n",
	    body_timeout, h->port);
	return rig_new(conf);
}

static void
times_out_in_content(struct slow_reader *h, const char *body_timeout, int divisor)
{
	struct rig *r = rig_against_slow_reader(h, body_timeout);

	clock_shorten_timeouts(divisor);
	rig_deliver(r, &(struct rig_mail){.attempt_id = 1,
	                   .domain = "sips.test",
	                   .to = {"bob@sips.test", "eva@sips.test"},
	                   .file_bytes = 16 << 20});
	cr_assert(rig_wait(r, 2), "no end");
	for (size_t i = 0; i < 2; i++)
		rig_result_is(&r->results[i], 451, "timeout");
	cr_expect(r->results[1].is_last);
	rig_free(&r);
}

/* No block is read within timeouts.body; the attempt could take much longer. */
Test(relay_attempts, content_that_is_not_read_times_out, .timeout = 60)
{
	static struct slow_reader host;

	times_out_in_content(&host, "1s", 1);
}

/* Each block has a timeout of ten minutes, and all blocks together one of 78 minutes, which is one
 * second here. */
Test(relay_attempts, content_that_is_read_too_slowly_times_out, .timeout = 60)
{
	static struct slow_reader host = {.pause_ms = 10};

	times_out_in_content(&host, "10m", 4700);
}
