/* Hosts that flood, stall, send slowly, do not read, or break the protocol: the attempt fails
 * temporarily in bounded time and memory, and mail for other hosts is not delayed. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "unit/relay/rig.h"

enum action { REPLY, STALL, TRICKLE, CLOSE, RESET, NO_READ };
#ifdef SANITIZERS /* these keep freed memory, up to 256 MB */
enum { FLOOD_BYTES = 64 << 20, RSS_GROWTH_MAX = 280 << 20 };
#else
enum { FLOOD_BYTES = 64 << 20, RSS_GROWTH_MAX = 24 << 20 };
#endif

struct trick {
	const char *why;
	const char *verb; /* "": at the greeting; ".": at the final dot */
	enum action action;
	struct str bytes; /* sent instead of the reply, */
	size_t total;     /* repeated up to this size; 0: once */
	unsigned code;
	const char *reason;
	size_t file_bytes;
};

static const struct trick tricks[] = {
    {"endless greeting", "", REPLY, STR("220-hello\r\n"), FLOOD_BYTES, 451, "protocol", 0},
    {"endless EHLO", "EHLO", REPLY, STR("250-X-EXTENSION-WITHOUT-END aaaaaaaaaaaaaaaaaaaaaaaa\r\n"),
	FLOOD_BYTES, 451, "protocol", 0},
    {"endless answer to RCPT", "RCPT", REPLY, STR("550-no\r\n"), FLOOD_BYTES, 451, "protocol", 0},
    {"a line of 16 MB", "MAIL", REPLY, STR("250 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
	16 << 20, 451, "protocol", 0},
    {"16 MB of NUL", "", REPLY, STR("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), 16 << 20, 451, "protocol",
	0},
    {"answers without a question", "EHLO", REPLY, STR("250 ok\r\n"), FLOOD_BYTES, 451, "protocol",
	0},
    {"NUL in an answer", "RCPT", REPLY, STR("550 n\0o\r\n"), 0, 550, "refused", 0},
    {"2x0", "RCPT", REPLY, STR("2x0 ok\r\n"), 0, 451, "protocol", 0},
    {"999", "RCPT", REPLY, STR("999 ok\r\n"), 0, 451, "protocol", 0},
    {"250 to DATA", "DATA", REPLY, STR("250 ok\r\n"), 0, 451, "protocol", 0},
    {"an empty refusal", "RCPT", REPLY, STR("550-\r\n550-\r\n550\r\n"), 0, 550, "refused", 0},
    {"a refusal with LF", "RCPT", REPLY, STR("550 5.1.1 no\n"), 0, 550, "mailbox", 0},
    {"escape sequences", "RCPT", REPLY, STR("550 \x1b[2J\xff\xfe 5.1.1\r\n"), 0, 550, "refused", 0},
    {"stalls at the greeting", "", STALL, {"", 0}, 0, 451, "timeout", 0},
    {"stalls at EHLO", "EHLO", STALL, {"", 0}, 0, 451, "timeout", 0},
    {"stalls at MAIL", "MAIL", STALL, {"", 0}, 0, 451, "timeout", 0},
    {"stalls at RCPT", "RCPT", STALL, {"", 0}, 0, 451, "timeout", 0},
    {"stalls at DATA", "DATA", STALL, {"", 0}, 0, 451, "timeout", 0},
    {"stalls at the dot", ".", STALL, {"", 0}, 0, 451, "lost", 0},
    {"stalls in the middle of an answer", "RCPT", STALL, STR("250-wait"), 0, 451, "timeout", 0},
    {"trickles the greeting", "", TRICKLE, STR("220-hello\r\n"), FLOOD_BYTES, 451, "timeout", 0},
    {"trickles at RCPT", "RCPT", TRICKLE, STR("250-hello\r\n"), FLOOD_BYTES, 451, "timeout", 0},
    {"closes at the greeting", "", CLOSE, {"", 0}, 0, 451, "lost", 0},
    {"closes at RCPT", "RCPT", CLOSE, {"", 0}, 0, 451, "lost", 0},
    {"closes in the middle of an answer", "DATA", CLOSE, STR("354"), 0, 451, "lost", 0},
    {"closes at the dot", ".", CLOSE, {"", 0}, 0, 451, "lost", 0},
    {"resets at EHLO", "EHLO", RESET, {"", 0}, 0, 451, "lost", 0},
    {"resets at DATA", "DATA", RESET, {"", 0}, 0, 451, "lost", 0},
    {"does not read the content", "DATA", NO_READ, STR("354 go\r\n"), 0, 451, "timeout", 64 << 20},
};

struct host {
	const struct trick *trick; /* NULL: a correct host */
	int fd;
	unsigned port;
};

static bool
send_bytes(int fd, struct str s)
{
	return send(fd, s.p, s.n, MSG_NOSIGNAL) == (ssize_t)s.n;
}

/* Waits until the client closes the connection. */
static void
wait_for_end(int fd)
{
	char bytes[4096];

	while (recv(fd, bytes, sizeof bytes, 0) > 0)
		;
}

/* A flood is sent in blocks of many complete repetitions. */
static struct str
repeated(const struct trick *t, char block[8192])
{
	size_t n = 0;

	while (t->total && n + t->bytes.n <= 8192) {
		memcpy(block + n, t->bytes.p, t->bytes.n);
		n += t->bytes.n;
	}
	return n ? str_make(block, n) : t->bytes;
}

static bool
do_trick(int fd, const struct trick *t)
{
	struct linger reset = {1, 0};
	struct pollfd p = {.fd = fd, .events = 0};
	size_t output = 0;
	char block[8192];
	struct str flood = repeated(t, block);

	do {
		struct str piece =
		    t->action == TRICKLE ? str_make(t->bytes.p + output % t->bytes.n, 1) : flood;

		if (piece.n && !send_bytes(fd, piece))
			return false;
		output += piece.n;
		if (t->action == TRICKLE)
			usleep(100000);
	} while (output < t->total);
	if (t->action == STALL)
		wait_for_end(fd);
	if (t->action == NO_READ)
		poll(&p, 1, 10000);
	if (t->action == RESET)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	return t->action == REPLY;
}

/* False: closes the connection. */
static bool
answer(int fd, const char *verb, const struct trick *t)
{
	if (t && strcmp(t->verb, verb) == 0)
		return do_trick(fd, t);
	if (*verb == '\0')
		return send_bytes(fd, STR("220 hostile.test\r\n"));
	if (strcmp(verb, "EHLO") == 0)
		return send_bytes(fd, STR("250-hostile.test\r\n250 PIPELINING\r\n"));
	if (strcmp(verb, "DATA") == 0)
		return send_bytes(fd, STR("354 go\r\n"));
	return send_bytes(fd, STR("250 ok\r\n"));
}

static void
run_dialogue(int fd, const struct trick *t)
{
	FILE *in = fdopen(fd, "r");
	char line[2000];
	bool is_data = false, ok = answer(fd, "", t);

	while (ok && fgets(line, sizeof line, in)) {
		char verb[5] = "";

		memcpy(verb, line, 4);
		if (is_data && strcmp(line, ".\r\n") == 0)
			is_data = false, ok = answer(fd, ".", t);
		else if (!is_data) {
			ok = answer(fd, verb, t);
			is_data = strcmp(verb, "DATA") == 0;
		}
	}
	fclose(in);
}

struct hostile_connection {
	int fd;
	const struct trick *trick;
};

static void *
serve_connection(void *arg)
{
	struct hostile_connection connection = *(struct hostile_connection *)arg;

	mem_free(arg);
	run_dialogue(connection.fd, connection.trick);
	return NULL;
}

static void *
serve(void *arg)
{
	struct host *h = arg;
	int fd;

	while ((fd = accept(h->fd, NULL, NULL)) >= 0) {
		struct hostile_connection *connection = MEM_NEW(struct hostile_connection);
		pthread_t thread;

		*connection = (struct hostile_connection){fd, h->trick};
		pthread_create(&thread, NULL, serve_connection, connection);
		pthread_detach(thread);
	}
	return NULL;
}

static void
host_open(struct host *h, const struct trick *t)
{
	pthread_t thread;

	h->trick = t;
	h->fd = rig_listen(&h->port);
	pthread_create(&thread, NULL, serve, h);
	pthread_detach(thread);
}

static long
resident_bytes(void)
{
	long pages = 0, total;
	FILE *f = fopen("/proc/self/statm", "r");

	cr_assert_eq(fscanf(f, "%ld %ld", &total, &pages), 2);
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

static struct rig *
rig_for(unsigned bad, unsigned good)
{
	static char conf[1500];

	snprintf(conf, sizeof conf,
	    "hostname = \"gw.example.com\";\n"
	    "timeouts: { connect = \"1s\"; greeting = \"1s\"; ehlo = \"1s\"; mail = \"1s\"; rcpt = "
	    "\"1s\";"
	    " data = \"1s\"; body = \"1s\"; final = \"1s\"; };\n"
	    "routes: ( { to_domain = \"bad.test\"; via = \"smtp\"; host = \"127.0.0.1\"; port = "
	    "%u; },"
	    " { to_domain = \"good.test\"; via = \"smtp\"; host = \"127.0.0.1\"; port = %u; } );\n",
	    bad, good);
	return rig_new(conf);
}

/* One after the other, so that the growth of memory has one cause. */
Test(relay_hostile, each_trick_ends_in_bounded_memory, .timeout = 600)
{
	static struct host hosts[sizeof tricks / sizeof *tricks], good;

	host_open(&good, NULL);
	for (size_t i = 0; i < sizeof tricks / sizeof *tricks; i++) {
		const struct trick *t = &tricks[i];
		struct rig *r;
		long before;

		host_open(&hosts[i], t);
		r = rig_for(hosts[i].port, good.port);
		before = resident_bytes();
		rig_deliver(r, &(struct rig_mail){.attempt_id = 1,
		                   .domain = "bad.test",
		                   .to = {"bob@bad.test"},
		                   .file_bytes = t->file_bytes});
		cr_assert(rig_wait(r, 1), "%s: no result", t->why);
		cr_expect_eq(r->results[0].status.code, t->code, "%s: %u %s", t->why,
		    r->results[0].status.code, r->results[0].status.text);
		cr_expect_str_eq(
		    r->results[0].reason, t->reason, "%s: %s", t->why, r->results[0].reason);
		for (const char *c = r->results[0].status.text; *c; c++)
			cr_expect((unsigned char)*c >= ' ', "%s: a control character in the text",
			    t->why);
		cr_expect_lt(resident_bytes() - before, RSS_GROWTH_MAX, "%s: %ld bytes", t->why,
		    resident_bytes() - before);
		rig_free(&r);
	}
}

Test(relay_hostile, others_are_not_delayed, .timeout = 60)
{
	static const struct trick stall = {"", "MAIL", STALL, {"", 0}, 0, 451, "timeout", 0};
	static struct host bad, good;
	struct rig *r;
	size_t sent = 0;

	host_open(&bad, &stall);
	host_open(&good, NULL);
	r = rig_for(bad.port, good.port);
	for (uint64_t i = 1; i <= 50; i++) {
		rig_deliver(r, &(struct rig_mail){
		                   .attempt_id = i, .domain = "bad.test", .to = {"bob@bad.test"}});
		rig_deliver(
		    r, &(struct rig_mail){
		           .attempt_id = 100 + i, .domain = "good.test", .to = {"eva@good.test"}});
	}
	cr_assert(rig_wait(r, 50));
	for (size_t i = 0; i < 50; i++)
		sent += r->results[i].status.code == 250;
	cr_expect_eq(sent, 50, "the good host's mail came first: %zu", sent);
	cr_assert(rig_wait(r, 100));
	rig_free(&r);
}
