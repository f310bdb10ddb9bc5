/*
 * resolver: each combination of the answers of two servers to AAAA and A.  The name in a question
 * says what each server does: "x-ab-cd.plain.test" is answered with a (AAAA) and b (A) by the first
 * server, and with c and d by the second.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/dns_answer.h"
#include "net/resolver.h"

/* f: found; n: no such record; e: SERVFAIL; b: an answer that does not validate.  s, no answer, is
 * not in this list, because it takes long. */
static const char behaviours[] = "fneb";
/* All names below "plain.test" are exempt from validation.  A CNAME record that leads out of it
 * makes an answer that does not validate. */
static const char anchor[] =
    ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n";

enum { SERVERS = 3, NAMES_MAX = 256, PARALLEL = 16, NAME_BYTES = 40, HEADER_BYTES = 12, SLOW_MS = 3500 };

struct scripted_server {
	unsigned number, asked;
	int fd;
	struct event *event;
	char at[40];
};

static struct event_base *base;
static struct scripted_server servers[SERVERS];

/* The end of the question in the packet; type_out: its type. */
static size_t
skip_question(const unsigned char *packet, enum dns_type *type_out)
{
	size_t at = HEADER_BYTES;

	while (packet[at])
		at += 1 + (size_t)packet[at];
	*type_out = (enum dns_type)packet[at + 2];
	return at + 5;
}

static char
behaviour_of(const struct scripted_server *s, const unsigned char *packet, enum dns_type type)
{
	const char *label = (const char *)packet + HEADER_BYTES + 1;

	if (label[0] != 'x' || label[1] != '-')
		return 'f';
	return s->number < 2 ? label[2 + 3 * s->number + (type == DNS_A)] : 's';
}

static size_t
put_answer(unsigned char *to, enum dns_type type, char behaviour)
{
	static const unsigned char a[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1},
	    aaaa[] = {0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 60, 0, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0,
	        0, 0, 0, 0, 0, 0, 1},
	    cname[] = {0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 6, 4, 'a', 'w', 'a', 'y', 0};

	if (behaviour == 'b') {
		memcpy(to, cname, sizeof cname);
		return sizeof cname;
	}
	if (behaviour != 'f' || (type != DNS_A && type != DNS_AAAA))
		return 0;
	memcpy(to, type == DNS_A ? a : aaaa, type == DNS_A ? sizeof a : sizeof aaaa);
	return type == DNS_A ? sizeof a : sizeof aaaa;
}

static void
on_scripted_question(evutil_socket_t fd, short what, void *arg)
{
	struct scripted_server *s = arg;
	struct sockaddr_in from;
	socklen_t len = sizeof from;
	unsigned char packet[600];
	enum dns_type type;
	size_t n, added;
	char behaviour;

	(void)what;
	if (recvfrom(fd, packet, 512, 0, (struct sockaddr *)&from, &len) < HEADER_BYTES + 5)
		return;
	n = skip_question(packet, &type);
	behaviour = behaviour_of(s, packet, type);
	s->asked++;
	if (behaviour == 's')
		return;
	packet[2] = 0x81;
	packet[3] = behaviour == 'e' ? 0x82 : 0x80;
	memset(packet + 6, 0, 6);
	added = put_answer(packet + n, type, behaviour);
	packet[7] = added != 0;
	(void)!sendto(fd, packet, n + added, 0, (struct sockaddr *)&from, len);
}

static void
set_up(void)
{
	base = event_base_new();
	for (unsigned i = 0; i < SERVERS; i++) {
		struct scripted_server *s = &servers[i];
		struct sockaddr_in a = {
		    .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
		socklen_t len = sizeof a;

		*s = (struct scripted_server){
		    .number = i, .fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)};
		cr_assert_eq(bind(s->fd, (struct sockaddr *)&a, len), 0);
		cr_assert_eq(getsockname(s->fd, (struct sockaddr *)&a, &len), 0);
		snprintf(s->at, sizeof s->at, "127.0.0.1@%u", ntohs(a.sin_port));
		s->event = event_new(base, s->fd, EV_READ | EV_PERSIST, on_scripted_question, s);
		event_add(s->event, NULL);
	}
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

TestSuite(resolver_parts, .init = set_up, .fini = tear_down, .timeout = 120);

static struct resolver *
open_resolver(size_t count)
{
	static const struct str zone = {"plain.test", 10};
	static const struct conf_strs zones = {&zone, 1};
	struct str names[SERVERS];
	struct resolver *r;

	for (size_t i = 0; i < SERVERS; i++)
		names[i] = str_of(servers[i].at);
	r = resolver_new(&(struct resolver_setup){.base = base,
	    .servers = names,
	    .server_count = count,
	    .dnssec = DNSSEC_REQUIRE,
	    .insecure_zones = &zones,
	    .anchor = str_of(anchor)});
	cr_assert(r);
	return r;
}

struct scripted_lookup {
	char name[NAME_BYTES];
	enum resolver_outcome outcome;
	size_t count;
	int64_t ms;
	unsigned ended;
};

static int64_t began_ms;

static void
on_scripted_end(const struct resolver_answer *a, void *arg)
{
	struct scripted_lookup *l = arg;

	l->outcome = a->outcome;
	l->count = a->count;
	l->ms = clock_mono_ms() - began_ms;
	l->ended++;
}

static void
wait_for_lookups(const struct scripted_lookup *lookups, size_t n)
{
	int64_t end = clock_mono_ms() + RESOLVER_DEADLINE_MS + 5000;
	struct timeval most = {0, 20000};

	for (size_t i = 0; i < n; i++) {
		while (lookups[i].ended == 0 && clock_mono_ms() < end) {
			event_base_loopexit(base, &most);
			event_base_loop(base, 0);
		}
		cr_assert_eq(lookups[i].ended, 1, "%s", lookups[i].name);
	}
}

/* Looks up the names, some of them at the same time: the buffer of a socket is small. */
static void
look_up(struct scripted_lookup *lookups, size_t n, size_t server_count)
{
	struct resolver *r = open_resolver(server_count);

	for (size_t at = 0; at < n; at += PARALLEL) {
		began_ms = clock_mono_ms();
		for (size_t i = at; i < at + PARALLEL && i < n; i++)
			resolver_ask_addresses(
			    r, str_of(lookups[i].name), on_scripted_end, &lookups[i]);
		wait_for_lookups(lookups + at, n - at < PARALLEL ? n - at : PARALLEL);
	}
	resolver_free(&r);
}

/* Looks up all names at the same time, with a resolver for each: libunbound asks a server more slowly that did not answer
 * other questions. */
static void
look_up_apart(struct scripted_lookup *lookups, size_t n, size_t server_count)
{
	struct resolver *resolvers[NAMES_MAX];

	for (size_t i = 0; i < n; i++)
		resolvers[i] = open_resolver(server_count);
	began_ms = clock_mono_ms();
	for (size_t i = 0; i < n; i++)
		resolver_ask_addresses(
		    resolvers[i], str_of(lookups[i].name), on_scripted_end, &lookups[i]);
	wait_for_lookups(lookups, n);
	for (size_t i = 0; i < n; i++)
		resolver_free(&resolvers[i]);
}

/* ---- what is expected ---- */

struct expected_end {
	enum resolver_outcome outcome; /* FAILED also stands for TIMEOUT */
	size_t count;
	int64_t ms; /* the query ends before */
};

/* Takes the answers of one server to the questions that are still open; true: that is the end. */
static bool
add_server(struct expected_end *e, const char *answers, char still[2])
{
	size_t found = 0, bogus = 0, silent = 0, none = 0;

	for (size_t i = 0; i < 2; i++) {
		bool is_asked = still[i] != 'n';

		found += is_asked && answers[i] == 'f';
		bogus += is_asked && answers[i] == 'b';
		silent += is_asked && answers[i] == 's';
		if (is_asked)
			still[i] = answers[i];
		none += still[i] == 'n';
	}
	e->count = bogus ? 0 : found;
	e->outcome = RESOLVER_FAILED;
	if (none == 2)
		e->outcome = RESOLVER_NO_DATA;
	if (found || bogus)
		e->outcome = bogus ? RESOLVER_BOGUS : RESOLVER_FOUND;
	if (silent)
		e->ms += RESOLVER_NEXT_SERVER_MS;
	return e->outcome != RESOLVER_FAILED;
}

static struct expected_end
expected_end(const char *name)
{
	const char *first = name + 2, *second = name + 5;
	struct expected_end e = {.ms = SLOW_MS};
	char still[2] = {'?', '?'}, absent[2];

	if (add_server(&e, first, still))
		return e;
	/* that something is absent counts from the first server alone */
	for (size_t i = 0; i < 2; i++)
		absent[i] = second[i] == 'n' ? 'e' : second[i];
	if (!add_server(&e, absent, still))
		e.ms = RESOLVER_DEADLINE_MS + SLOW_MS;
	return e;
}

static void
expect_ends(const struct scripted_lookup *lookups, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct scripted_lookup *l = &lookups[i];
		struct expected_end e = expected_end(l->name);
		enum resolver_outcome outcome =
		    l->outcome == RESOLVER_TIMEOUT ? RESOLVER_FAILED : l->outcome;

		cr_expect(outcome == e.outcome && l->count == e.count && l->ms < e.ms,
		    "%s: outcome %d, %zu addresses, after %d ms; not %d, %zu, before %d ms", l->name,
		    outcome, l->count, (int)l->ms, e.outcome, e.count, (int)e.ms);
	}
}

Test(resolver_parts, each_combination_of_answers)
{
	static struct scripted_lookup lookups[NAMES_MAX];
	const size_t kinds = sizeof behaviours - 1;
	size_t n = 0;

	for (; n < kinds * kinds * kinds * kinds; n++)
		snprintf(lookups[n].name, NAME_BYTES, "x-%c%c-%c%c.plain.test",
		    behaviours[n % kinds], behaviours[n / kinds % kinds],
		    behaviours[n / kinds / kinds % kinds], behaviours[n / kinds / kinds / kinds]);
	look_up(lookups, n, 2);
	expect_ends(lookups, n);
}

Test(resolver_parts, combinations_with_silence)
{
	static const char *const firsts[] = {"sf", "fs", "ss", "ef"},
	                         *const seconds[] = {"ff", "ss"};
	enum { FIRSTS = sizeof firsts / sizeof *firsts, SECONDS = sizeof seconds / sizeof *seconds };
	static struct scripted_lookup lookups[FIRSTS * SECONDS];
	const size_t n = sizeof lookups / sizeof *lookups;

	for (size_t i = 0; i < n; i++)
		snprintf(lookups[i].name, NAME_BYTES, "x-%s-%s.plain.test", firsts[i / SECONDS],
		    seconds[i % SECONDS]);
	look_up_apart(lookups, n, 2);
	expect_ends(lookups, n);
}

/* A third server that answers nothing does not delay what the others have found. */
Test(resolver_parts, a_dead_third_server_delays_nothing_that_was_found)
{
	static const char *const names[] = {"x-fe-ss.plain.test", "x-ef-nn.plain.test",
	    "x-ee-nf.plain.test", "x-ne-ef.plain.test", "x-fs-es.plain.test"};
	enum { COUNT = sizeof names / sizeof *names };
	static struct scripted_lookup lookups[COUNT];

	for (size_t i = 0; i < COUNT; i++)
		snprintf(lookups[i].name, NAME_BYTES, "%s", names[i]);
	look_up_apart(lookups, COUNT, SERVERS);
	expect_ends(lookups, COUNT);
	cr_expect_eq(servers[2].asked, 0);
}
