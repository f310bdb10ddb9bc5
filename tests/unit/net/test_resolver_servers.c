/* resolver: several servers, some of which do not answer, or not everything. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/dns_answer.h"
#include "net/resolver.h"

enum { SERVERS = 2 };

/* A server of the test: it has one name, and may be silent. */
struct server {
	int fd;
	struct event *event;
	char at[40];             /* ADDRESS@PORT */
	const char *known_name;       /* has an MX record to itself, and the address 192.0.2.1 */
	const char *dropped_prefix;       /* questions for names that begin so are not answered */
	enum dns_type dropped_type; /* these are not answered */
	enum dns_type failed_type;  /* the answer to these is SERVFAIL */
	bool has_ipv6;              /* the known name also has the address 2001:db8::1 */
	bool is_silent;
	unsigned asked, asked_type[64];
};

static struct event_base *base;
static struct server servers[SERVERS];

static size_t
read_name(const unsigned char *packet, char out[256])
{
	size_t at = 12, n = 0;

	while (packet[at] && n + packet[at] + 1 < 256) {
		memcpy(out + n, packet + at + 1, packet[at]);
		n += packet[at];
		out[n++] = '.';
		at += 1 + (size_t)packet[at];
	}
	out[n ? n - 1 : 0] = '\0';
	for (size_t i = 0; i < n; i++)
		out[i] = (char)(out[i] | (out[i] >= 'A' && out[i] <= 'Z' ? 0x20 : 0));
	return at + 5;
}

/* Adds the record; 0: the server has none of this type. */
static size_t
put_record(unsigned char *to, enum dns_type type, bool has_ipv6)
{
	static const unsigned char a[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1};
	static const unsigned char mx[] = {
	    0xc0, 12, 0, 15, 0, 1, 0, 0, 0, 60, 0, 4, 0, 10, 0xc0, 12};

	static const unsigned char aaaa[] = {0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 60, 0, 16, 0x20, 1,
	    0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

	if (type == DNS_AAAA && has_ipv6) {
		memcpy(to, aaaa, sizeof aaaa);
		return sizeof aaaa;
	}
	if (type != DNS_A && type != DNS_MX)
		return 0;
	memcpy(to, type == DNS_A ? a : mx, sizeof a);
	return sizeof a;
}

static void
on_question(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct sockaddr_in from;
	socklen_t len = sizeof from;
	unsigned char packet[512];
	char name[256];
	ssize_t got = recvfrom(fd, packet, sizeof packet, 0, (struct sockaddr *)&from, &len);
	enum dns_type type;
	size_t n, added = 0;
	bool is_known;

	(void)what;
	if (got < 17)
		return;
	n = read_name(packet, name);
	type = (enum dns_type)packet[n - 3];
	is_known = s->known_name && strcmp(name, s->known_name) == 0;
	s->asked++;
	s->asked_type[type % 64]++;
	if (s->is_silent ||
	    (s->dropped_prefix &&
	        strncmp(name, s->dropped_prefix, strlen(s->dropped_prefix)) == 0) ||
	    type == s->dropped_type)
		return;
	if (is_known && type != s->failed_type)
		added = put_record(packet + n, type, s->has_ipv6);
	packet[2] = 0x81;
	packet[3] = is_known ? 0x80 : 0x83;
	if (type == s->failed_type)
		packet[3] = 0x82;
	memset(packet + 6, 0, 6);
	packet[7] = added != 0;
	(void)!sendto(fd, packet, n + added, 0, (struct sockaddr *)&from, len);
}

static void
open_server(struct server *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof a;

	*s = (struct server){.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)};
	cr_assert_eq(bind(s->fd, (struct sockaddr *)&a, len), 0);
	cr_assert_eq(getsockname(s->fd, (struct sockaddr *)&a, &len), 0);
	snprintf(s->at, sizeof s->at, "127.0.0.1@%u", ntohs(a.sin_port));
	s->event = event_new(base, s->fd, EV_READ | EV_PERSIST, on_question, s);
	event_add(s->event, NULL);
}

static void
set_up(void)
{
	base = event_base_new();
	for (size_t i = 0; i < SERVERS; i++)
		open_server(&servers[i]);
}

static void
tear_down(void)
{
	for (size_t i = 0; i < SERVERS; i++) {
		event_free(servers[i].event);
		close(servers[i].fd);
	}
	event_base_free(base);
}

TestSuite(resolver_servers, .init = set_up, .fini = tear_down, .timeout = 120);

static struct resolver *
open_resolver(size_t count)
{
	struct str names[SERVERS] = {str_of(servers[0].at), str_of(servers[1].at)};
	struct resolver *r = resolver_new(&(struct resolver_setup){
	    .base = base, .servers = names, .server_count = count, .dnssec = DNSSEC_OFF});

	cr_assert(r);
	return r;
}

/* ---- waiting ---- */

static void
turn(void)
{
	struct timeval most = {0, 20000};

	event_base_loopexit(base, &most);
	event_base_loop(base, EVLOOP_ONCE);
}

struct result {
	struct resolver_answer a;
	unsigned count;
};

static void
on_result(const struct resolver_answer *a, void *arg)
{
	struct result *h = arg;

	h->a = *a;
	h->count++;
}

static struct resolver_answer
wait_for_result(struct result *h)
{
	int64_t end = clock_mono_ms() + RESOLVER_DEADLINE_MS + 20000;

	while (h->count == 0 && clock_mono_ms() < end)
		turn();
	cr_assert_eq(h->count, 1);
	return h->a;
}

static struct resolver_answer
mx(struct resolver *r, const char *name)
{
	struct result h = {.count = 0};

	resolver_ask_mx(r, str_of(name), on_result, &h);
	return wait_for_result(&h);
}

static struct resolver_answer
addresses(struct resolver *r, const char *name)
{
	struct result h = {.count = 0};

	resolver_ask_addresses(r, str_of(name), on_result, &h);
	return wait_for_result(&h);
}

static bool
is_silent(const struct resolver *r, size_t n)
{
	struct resolver_server s;

	cr_assert(resolver_server(r, n, &s));
	return s.silent_since_ms != 0;
}

static bool
is_asked(const struct resolver *r, size_t n)
{
	struct resolver_server s;

	cr_assert(resolver_server(r, n, &s));
	return s.is_asked;
}

static void
wait_silent(const struct resolver *r, size_t n, bool wanted)
{
	int64_t end = clock_mono_ms() + 30000;

	while (is_silent(r, n) != wanted && clock_mono_ms() < end)
		turn();
	cr_assert_eq(is_silent(r, n), wanted);
}

/* ---- which server is asked, and whose answer is used ---- */

/* The first server has the internal names, the second one is public. */
Test(resolver_servers, one_name_without_an_answer_makes_no_server_silent)
{
	struct resolver *r = open_resolver(2);

	servers[0].known_name = "inside.test";
	servers[0].dropped_prefix = "lame.test";
	cr_expect_eq(mx(r, "lame.test").outcome, RESOLVER_FAILED, "the second one cannot know");
	cr_expect_gt(servers[1].asked, 0);
	/* the answer to the probe may come a moment later */
	for (int i = 0; i < 50 && servers[0].asked_type[DNS_SOA] == 0; i++)
		turn();
	turn();
	cr_expect_eq(mx(r, "inside.test").outcome, RESOLVER_FOUND);
	cr_expect(!is_silent(r, 0));
	resolver_free(&r);
}

/* Nor do many of them, in sequence and in parallel, while nothing else is asked. */
Test(resolver_servers, many_names_without_an_answer_make_no_server_silent)
{
	enum { NAMES = 8, ROUNDS = 9 };
	struct resolver *r = open_resolver(2);
	char name[30];

	servers[0].known_name = "inside.test";
	servers[0].dropped_prefix = "lame";
	for (int round = 0; round < ROUNDS; round++) {
		struct result h[NAMES] = {{.count = 0}};

		for (int i = 0; i < NAMES; i++) {
			snprintf(name, sizeof name, "lame%d.round%d.test", i, round);
			resolver_ask_mx(r, str_of(name), on_result, &h[i]);
		}
		for (int i = 0; i < NAMES; i++)
			cr_expect_eq(wait_for_result(&h[i]).outcome, RESOLVER_FAILED);
	}
	for (int i = 0; i < 20; i++)
		turn();
	cr_expect_eq(mx(r, "inside.test").outcome, RESOLVER_FOUND);
	resolver_free(&r);
}

Test(resolver_servers, a_negative_answer_counts_only_from_the_first_server)
{
	struct resolver *r = open_resolver(2);

	servers[1].known_name = "outside.test";
	cr_expect_eq(mx(r, "inside.test").outcome, RESOLVER_NO_NAME);
	servers[0].is_silent = true;
	cr_expect_eq(mx(r, "inside2.test").outcome, RESOLVER_FAILED);
	cr_expect_eq(mx(r, "outside.test").outcome, RESOLVER_FOUND);
	wait_silent(r, 0, true);
	cr_expect_eq(mx(r, "inside3.test").outcome, RESOLVER_FAILED);
	cr_expect_eq(addresses(r, "outside.test").outcome, RESOLVER_FOUND,
	    "that it has no AAAA does not matter");
	resolver_free(&r);
}

/* The other server is not asked then: it may be a public one, or answer without DNSSEC. */
Test(resolver_servers, one_family_of_the_first_server_is_enough)
{
	struct resolver *r = open_resolver(2);
	int64_t began = clock_mono_ms();

	servers[0].known_name = servers[1].known_name = "half.test";
	servers[0].dropped_type = DNS_AAAA;
	servers[1].has_ipv6 = true;
	for (int i = 0; i < 2; i++) {
		struct resolver_answer a = addresses(r, "half.test");

		cr_expect_eq(a.outcome, RESOLVER_FOUND);
		cr_expect_eq(a.count, 1);
	}
	cr_expect_lt(clock_mono_ms() - began, RESOLVER_NEXT_SERVER_MS);
	cr_expect_eq(servers[1].asked, 0);
	cr_expect(!is_silent(r, 0));
	resolver_free(&r);
}

Test(resolver_servers, a_server_that_cannot_be_made_is_left_out)
{
	struct str names[] = {STR("127.0.0.1%1@53"), str_of(servers[0].at)};
	struct resolver_setup setup = {
	    .base = base, .servers = names, .server_count = 2, .dnssec = DNSSEC_OFF};
	struct resolver *r = resolver_new(&setup);
	struct resolver_server s;

	cr_assert(r);
	cr_assert(resolver_server(r, 0, &s));
	cr_expect_str_eq(s.name, servers[0].at);
	cr_expect(!resolver_server(r, 1, &s));
	servers[0].known_name = "known.test";
	cr_expect_eq(mx(r, "known.test").outcome, RESOLVER_FOUND);
	resolver_free(&r);
	setup.server_count = 1;
	cr_expect_null(resolver_new(&setup));
}

/* ---- the known state of a server ---- */

Test(resolver_servers, a_server_is_silent_until_it_answers_again)
{
	struct resolver *r = open_resolver(1);

	servers[0].known_name = "known.test";
	cr_expect(!is_asked(r, 0));
	cr_expect_eq(mx(r, "known.test").outcome, RESOLVER_FOUND);
	cr_expect(is_asked(r, 0) && !is_silent(r, 0));
	servers[0].is_silent = true;
	cr_expect_neq(mx(r, "other.test").outcome, RESOLVER_FOUND);
	wait_silent(r, 0, true);
	cr_expect_eq(mx(r, "known.test").outcome, RESOLVER_FOUND, "it is remembered");
	cr_expect(is_silent(r, 0), "memory is no sign of life");
	servers[0].is_silent = false;
	wait_silent(r, 0, false);
	cr_expect_eq(mx(r, "third.test").outcome, RESOLVER_NO_NAME);
	resolver_free(&r);
}

Test(resolver_servers, a_server_with_a_closed_port)
{
	struct str names[] = {STR("127.0.0.1@9"), str_of(servers[1].at)};
	struct resolver *r = resolver_new(&(struct resolver_setup){
	    .base = base, .servers = names, .server_count = 2, .dnssec = DNSSEC_OFF});

	servers[1].known_name = "outside.test";
	cr_expect_eq(mx(r, "outside.test").outcome, RESOLVER_FOUND);
	wait_silent(r, 0, true);
	cr_expect(!is_silent(r, 1));
	resolver_free(&r);
}

/* ---- retired ---- */

static void
take_idle(struct resolver *r, void *arg)
{
	unsigned *count = arg;

	++*count;
	resolver_free(&r);
}

Test(resolver_servers, a_retired_resolver_is_freed_with_its_last_query)
{
	struct resolver *r = open_resolver(1);
	struct result h = {.count = 0};
	unsigned idle = 0;

	servers[0].known_name = "known.test";
	resolver_ask_mx(r, STR("known.test"), on_result, &h);
	resolver_retire(r, take_idle, &idle);
	cr_expect_eq(idle, 0);
	cr_expect_eq(wait_for_result(&h).outcome, RESOLVER_FOUND, "it is answered all the same");
	for (int i = 0; i < 50 && idle == 0; i++)
		turn();
	cr_expect_eq(idle, 1);
	r = open_resolver(1);
	idle = 0;
	resolver_retire(r, take_idle, &idle);
	cr_expect_eq(idle, 0, "never from inside the call");
	for (int i = 0; i < 50 && idle == 0; i++)
		turn();
	cr_expect_eq(idle, 1);
}

Test(resolver_servers, open_queries_can_be_ended)
{
	struct resolver *r = open_resolver(1);
	struct result h = {.count = 0};
	int64_t began = clock_mono_ms();
	unsigned idle = 0;

	servers[0].is_silent = true;
	resolver_ask_mx(r, STR("known.test"), on_result, &h);
	resolver_retire(r, take_idle, &idle);
	resolver_expire_queries(r);
	cr_expect_eq(wait_for_result(&h).outcome, RESOLVER_TIMEOUT);
	cr_expect_lt(clock_mono_ms() - began, RESOLVER_DEADLINE_MS / 2);
	for (int i = 0; i < 50 && idle == 0; i++)
		turn();
	cr_expect_eq(idle, 1);
}

/* ---- the log ---- */

/* The output of the log until now. */
static const char *
logged(int fd, char out[4096])
{
	ssize_t n = pread(fd, out, 4095, 0);

	out[n > 0 ? n : 0] = '\0';
	return out;
}

static unsigned
count_text(const char *in, const char *text)
{
	unsigned n = 0;

	for (; (in = strstr(in, text)); in += strlen(text))
		n++;
	return n;
}

Test(resolver_servers, each_change_of_a_server_is_logged_once)
{
	struct resolver *r = open_resolver(2);
	FILE *log = tmpfile();
	char text[4096], wanted[160];

	dup2(fileno(log), STDERR_FILENO);
	servers[1].known_name = "known.test";
	servers[0].is_silent = true;
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(mx(r, "known.test").outcome, RESOLVER_FOUND);
		cr_expect_eq(mx(r, "typo.test").outcome, RESOLVER_FAILED);
		wait_silent(r, 0, true);
	}
	snprintf(wanted, sizeof wanted, "warning: dns: %s does not answer", servers[0].at);
	cr_expect_eq(count_text(logged(fileno(log), text), wanted), 1, "%s", text);
	cr_expect_not_null(strstr(text, "mail for names that do not exist"), "%s", text);
	servers[1].is_silent = true;
	cr_expect_neq(mx(r, "third.test").outcome, RESOLVER_FOUND);
	wait_silent(r, 1, true);
	snprintf(wanted, sizeof wanted, "error: dns: no resolver answers (%s, %s)", servers[0].at,
	    servers[1].at);
	cr_expect_eq(count_text(logged(fileno(log), text), wanted), 1, "%s", text);
	servers[0].is_silent = false;
	wait_silent(r, 0, false);
	snprintf(wanted, sizeof wanted, "info: dns: %s answers again", servers[0].at);
	cr_expect_eq(count_text(logged(fileno(log), text), wanted), 1, "%s", text);
	resolver_free(&r);
	fclose(log);
}
