/* Destinations and deliveries with a real DNS server that has signed, unsigned and falsified
 * zones. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "unit/relay/rig.h"
#include "unit/relay/slow_disk.h"

static const char zone[] = "$TTL 300\n"
			   "@ SOA ns hostmaster 1 3600 600 86400 60\n"
			   "@ NS ns\n"
			   "@ MX 20 mx2\n@ MX 10 mx1\n"
			   "ns A 127.0.0.1\n"
			   "mx1 A 127.0.0.1\n"
			   "mx2 A 127.0.0.1\n"
			   "same MX 5 mx2\nsame MX 5 mx1\n"
			   "null MX 0 .\n"
			   "address A 127.0.0.1\n"
			   "nothing TXT nothing\n"
			   "nohost MX 10 not-there\n"
			   "inside MX 10 mx1\n"
			   "own MX 10 gw.example.com.\nown MX 20 mx1\n"
			   "second MX 10 mx1\nsecond MX 20 gw.example.com.\n"
			   "broken MX 10 closed\n"
			   "broken MX 20 mx1\n"
			   "closed A 127.0.0.9\n"
			   "forged MX 10 both\nboth A 127.0.0.7\nboth AAAA ::7\n"
			   "half6 MX 10 only6\nonly6 A 127.0.0.1\nonly6 AAAA ::7\n"
			   "half4 MX 10 only4\nonly4 A 127.0.0.7\nonly4 AAAA ::1\n"
			   "next MX 10 only6\nnext MX 20 mx1\n"
			   "away MX 10 mx1.false.test.\n";

static unsigned dns_port;
static bool has_dns;

static unsigned
free_port(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof in;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&in, len), 0);
	getsockname(fd, (struct sockaddr *)&in, &len);
	close(fd);
	return ntohs(in.sin_port);
}

static void
put_zone(const char *name)
{
	char path[120];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s.zone", rig_dir, name);
	f = fopen(path, "w");
	cr_assert_not_null(f);
	fputs(zone, f);
	fclose(f);
}

static const char *
support(void)
{
	const char *top = getenv("TOP_SRCDIR");

	return top ? top : "..";
}

static void
set_up(void)
{
	char command[600];

	rig_set_up();
	put_zone("signed.test");
	put_zone("false.test.bogus");
	/* a port that is free in UDP may be used in TCP */
	for (int i = 0, status = 1; i < 10 && status != 77 && !has_dns; i++) {
		dns_port = free_port();
		snprintf(command, sizeof command,
		    "sh %s/tests/support/dns-up %s/dns %u %s/signed.test.zone "
		    "%s/false.test.bogus.zone 2>%s/dns.log",
		    support(), rig_dir, dns_port, rig_dir, rig_dir, rig_dir);
		status = rig_do(command);
		has_dns = status == 0;
	}
}

static void
tear_down(void)
{
	char command[300];

	snprintf(
	    command, sizeof command, "sh %s/tests/support/dns-down %s/dns", support(), rig_dir);
	rig_do(command);
	rig_tear_down();
}

static struct rig *
rig_asking(unsigned resolver, unsigned port, const char *more)
{
	static char conf[1500];

	snprintf(conf, sizeof conf,
	    "hostname = \"gw.example.com\";\n"
	    "dns: { resolver = \"127.0.0.1@%u\"; trust_anchor = \"%s/dns/anchor\"; };\n"
	    "timeouts: { connect = \"2s\"; };\n"
	    "routes: ( %s { via = \"mx\"; port = %u; allow_private = true; } );\n",
	    resolver, rig_dir, more, port);
	return rig_new(conf);
}

static struct rig *
rig_with(unsigned port, const char *more)
{
	return rig_asking(dns_port, port, more);
}

Test(relay_dns, destinations, .init = set_up, .fini = tear_down, .timeout = 120)
{
	static const struct {
		const char *domain, *destination;
		unsigned code;
	} cases[] = {
	    {"signed.test", "mx:mx1.signed.test,mx2.signed.test;private=yes", 0},
	    {"same.signed.test", "mx:mx1.signed.test,mx2.signed.test;private=yes", 0},
	    {"null.signed.test", "", 556},
	    {"address.signed.test", "mx:address.signed.test;private=yes", 0},
	    {"nothing.signed.test", "mx:nothing.signed.test;private=yes", 0},
	    {"not-there.signed.test", "", 550},
	    {"own.signed.test", "", 554},
	    {"second.signed.test", "mx:mx1.signed.test;private=yes", 0},
	    {"false.test", "", 451},
	};
	struct rig *r;

	if (!has_dns)
		cr_skip_test("knotd is missing (Debian package knot)");
	r = rig_with(25, "");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		rig_ask_destination(r, cases[i].domain);
		cr_expect_str_eq(r->destination, cases[i].destination, "%s: \"%s\"",
		    cases[i].domain, r->destination);
		cr_expect_eq(r->destination_status.code, cases[i].code, "%s: %u %s",
		    cases[i].domain, r->destination_status.code, r->destination_status.text);
	}
	rig_free(&r);
}

Test(relay_dns, deliveries, .init = set_up, .fini = tear_down, .timeout = 120)
{
	static const struct {
		const char *domain;
		unsigned code;
		const char *reason;
	} cases[] = {
	    {"signed.test", 250, "none"},
	    {"address.signed.test", 250, "none"},
	    {"broken.signed.test", 250, "none"},
	    {"nothing.signed.test", 550, "dns"},
	    {"nohost.signed.test", 550, "dns"},
	    {"inside.signed.test", 550, "unroutable"},
	    {"null.signed.test", 556, "dns"},
	    {"own.signed.test", 554, "loop"},
	    {"false.test", 451, "dns"},
	};
	unsigned port;
	pid_t host;
	struct rig *r;

	if (!has_dns)
		cr_skip_test("knotd is missing (Debian package knot)");
	host = rig_sink("", &port);
	r = rig_with(port, "{ to_domain = \"inside.signed.test\"; via = \"mx\"; },");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		rig_deliver(r,
		    &(struct rig_mail){
		        .attempt_id = i + 1, .domain = cases[i].domain, .to = {"bob@signed.test"}});
		cr_assert(rig_wait(r, i + 1), "%s", cases[i].domain);
		cr_expect_eq(r->results[i].status.code, cases[i].code, "%s: %u %s", cases[i].domain,
		    r->results[i].status.code, r->results[i].status.text);
		cr_expect_str_eq(r->results[i].reason, cases[i].reason, "%s: %s", cases[i].domain,
		    r->results[i].reason);
	}
	cr_expect_str_eq(r->results[0].host, "mx1.signed.test", "the best preference first");
	rig_free(&r);
	rig_end(host, NULL);
}

Test(relay_dns, route_test, .init = set_up, .fini = tear_down, .timeout = 120)
{
	struct rig *r;

	if (!has_dns)
		cr_skip_test("knotd is missing (Debian package knot)");
	r = rig_with(25, "");
	rig_test_route(r, "bob@signed.test");
	cr_expect_eq(r->exit_code, 0, "%s", r->done_text);
	cr_expect_eq(r->row_count, 3);
	cr_expect_not_null(
	    strstr(r->rows, "preference=10 host=mx1.signed.test addresses=127.0.0.1"), "%s",
	    r->rows);
	rig_test_route(r, "bob@null.signed.test");
	cr_expect_eq(r->exit_code, 1);
	cr_expect_not_null(strstr(r->done_text, "5.1.10"), "%s", r->done_text);
	rig_free(&r);
}

/* ---- a program between relay and the DNS server that changes answers ---- */

enum { PACKET_BYTES = 4096 };

struct forger {
	int fd;
	unsigned port;
};

struct forgery {
	int fd;
	struct sockaddr_in from;
	socklen_t from_len;
	ssize_t n;
	char packet[PACKET_BYTES];
};

/* Changes 127.0.0.7 and ::7 into addresses where a host listens. */
static void
forge(struct forgery *f)
{
	static const char v4[] = {127, 0, 0, 7}, v6[16] = {[15] = 7};
	char *at4 = memmem(f->packet, (size_t)f->n, v4, sizeof v4);
	char *at6 = memmem(f->packet, (size_t)f->n, v6, sizeof v6);

	if (at4)
		at4[3] = 1;
	if (at6)
		at6[15] = 1;
}

static void *
forward_query(void *arg)
{
	struct forgery *f = arg;
	struct sockaddr_in dns = {.sin_family = AF_INET,
	    .sin_addr = {htonl(INADDR_LOOPBACK)},
	    .sin_port = htons((uint16_t)dns_port)};
	struct timeval timeout = {2, 0};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	sendto(fd, f->packet, (size_t)f->n, 0, (struct sockaddr *)&dns, sizeof dns);
	f->n = recv(fd, f->packet, sizeof f->packet, 0);
	close(fd);
	if (f->n > 0) {
		forge(f);
		sendto(f->fd, f->packet, (size_t)f->n, 0, (struct sockaddr *)&f->from, f->from_len);
	}
	mem_free(f);
	return NULL;
}

static void *
forge_all(void *arg)
{
	struct forger *forger = arg;
	pthread_t thread;

	for (;;) {
		struct forgery *f = MEM_NEW(struct forgery);

		f->fd = forger->fd;
		f->from_len = sizeof f->from;
		f->n = recvfrom(f->fd, f->packet, sizeof f->packet, 0, (struct sockaddr *)&f->from,
		    &f->from_len);
		pthread_create(&thread, NULL, forward_query, f);
		pthread_detach(thread);
	}
	return NULL;
}

static void
forger_open(struct forger *f)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof in;
	pthread_t thread;

	f->fd = socket(AF_INET, SOCK_DGRAM, 0);
	cr_assert_eq(bind(f->fd, (struct sockaddr *)&in, len), 0);
	getsockname(f->fd, (struct sockaddr *)&in, &len);
	f->port = ntohs(in.sin_port);
	pthread_create(&thread, NULL, forge_all, f);
	pthread_detach(thread);
}

/* A host with a bogus address is never contacted: neither at the forged address, nor at another
 * one. */
Test(relay_dns, forged_addresses_are_never_contacted, .init = set_up, .fini = tear_down,
    .timeout = 300)
{
	static const char *const domains[] = {"forged.signed.test", "half6.signed.test",
	    "half4.signed.test", "away.signed.test"};
	static struct forger forger;
	unsigned port;
	char output[200];
	pid_t host;

	if (!has_dns)
		cr_skip_test("knotd is missing (Debian package knot)");
	forger_open(&forger);
	host = rig_sink("", &port);
	for (int round = 0; round < 50; round++) {
		struct rig *r = rig_asking(forger.port, port, "");
		size_t count = 0;

		for (; count < sizeof domains / sizeof *domains; count++)
			rig_deliver(r, &(struct rig_mail){.attempt_id = count + 1,
			                   .domain = domains[count],
			                   .to = {"bob@signed.test"}});
		cr_assert(rig_wait(r, count), "round %d", round);
		for (size_t i = 0; i < count; i++)
			rig_result_is(&r->results[i], 451, "dns");
		rig_free(&r);
	}
	rig_end(host, output);
	cr_expect_str_eq(output, "connections=0 messages=0 recipients=0\n", "%s", output);
}

Test(relay_dns, the_host_after_a_forged_one_is_tried, .init = set_up, .fini = tear_down,
    .timeout = 120)
{
	static struct forger forger;
	unsigned port;
	pid_t host;
	struct rig *r;

	if (!has_dns)
		cr_skip_test("knotd is missing (Debian package knot)");
	forger_open(&forger);
	host = rig_sink("", &port);
	r = rig_asking(forger.port, port, "");
	rig_deliver(r, &(struct rig_mail){
	                   .attempt_id = 1, .domain = "next.signed.test", .to = {"a@signed.test"}});
	cr_assert(rig_wait(r, 1));
	rig_result_is(&r->results[0], 250, "none");
	cr_expect_str_eq(r->results[0].host, "mx1.signed.test");
	rig_free(&r);
	rig_end(host, NULL);
}

/* Both hosts can be reached, but neither can get a body that cannot be read. */
Test(relay_dns, a_body_that_cannot_be_read_is_sent_to_no_other_host, .init = set_up,
    .fini = tear_down, .timeout = 120)
{
	unsigned port;
	char output[200];
	pid_t host;
	struct rig *r;

	if (!has_dns)
		cr_skip_test("knotd is missing (Debian package knot)");
	host = rig_sink("", &port);
	r = rig_with(port, "");
	disk_read_error = EIO;
	rig_deliver(r, &(struct rig_mail){.attempt_id = 1,
	                   .domain = "signed.test",
	                   .to = {"a@signed.test"},
	                   .file_bytes = 200000,
	                   .has_facts = true});
	cr_assert(rig_wait(r, 1));
	rig_result_is(&r->results[0], 451, "local");
	rig_free(&r);
	rig_end(host, output);
	cr_expect_str_eq(output, "connections=1 messages=0 recipients=0\n", "%s", output);
}
