/* Each block of the registries at its edges: the first and the last address of the block, and the
 * addresses next to them. */
#include "relay/address_filter.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include "relay/own_addresses.h"
#include "relay/resolved_destination.h"
#include "unit/relay/rig.h"

struct range_case {
	const char *first, *last;
	bool is_public;
	/* the neighbours: '+' public, '-' not public, ' ' not checked */
	char before, after;
};

static const struct range_case cases[] = {
    {"0.0.0.0", "0.255.255.255", false, ' ', '+'},
    {"10.0.0.0", "10.255.255.255", false, '+', '+'},
    {"100.64.0.0", "100.127.255.255", false, '+', '+'},
    {"127.0.0.0", "127.255.255.255", false, '+', '+'},
    {"169.254.0.0", "169.254.255.255", false, '+', '+'},
    {"172.16.0.0", "172.31.255.255", false, '+', '+'},
    {"192.0.0.0", "192.0.0.8", false, '+', '+'},
    {"192.0.0.9", "192.0.0.10", true, '-', '-'},
    {"192.0.0.11", "192.0.0.255", false, '+', '+'},
    {"192.0.2.0", "192.0.2.255", false, '+', '+'},
    {"192.31.196.0", "192.31.196.255", true, '+', '+'},
    {"192.52.193.0", "192.52.193.255", true, '+', '+'},
    {"192.88.99.0", "192.88.99.255", false, '+', '+'},
    {"192.168.0.0", "192.168.255.255", false, '+', '+'},
    {"192.175.48.0", "192.175.48.255", true, '+', '+'},
    {"198.18.0.0", "198.19.255.255", false, '+', '+'},
    {"198.51.100.0", "198.51.100.255", false, '+', '+'},
    {"203.0.113.0", "203.0.113.255", false, '+', '+'},
    {"224.0.0.0", "239.255.255.255", false, '+', '-'},
    {"240.0.0.0", "255.255.255.255", false, '-', ' '},
    {"8.8.8.8", "9.255.255.255", true, '+', '-'},
    {"::", "::ffff:ffff", false, ' ', '+'},
    {"::1", "::1", false, '-', '-'},
    {"::8.8.8.8", "::8.8.8.8", false, '-', '-'},
    {"::ffff:0.0.0.0", "::ffff:0.255.255.255", false, '+', '+'},
    {"::ffff:127.0.0.0", "::ffff:127.255.255.255", false, '+', '+'},
    {"::ffff:10.0.0.0", "::ffff:10.255.255.255", false, '+', '+'},
    {"::ffff:8.8.8.8", "::ffff:8.8.8.8", true, '+', '+'},
    {"::ffff:0:0:0", "::ffff:0:ffff:ffff", false, '+', '+'},
    {"64:ff9b::0.0.0.0", "64:ff9b::0.255.255.255", false, '+', '+'},
    {"64:ff9b::192.168.0.0", "64:ff9b::192.168.255.255", false, '+', '+'},
    {"64:ff9b::8.8.8.8", "64:ff9b::8.8.8.8", true, '+', '+'},
    {"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", false, '+', '+'},
    {"100::", "100::ffff:ffff:ffff:ffff", false, '+', '-'},
    {"100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff", false, '-', '+'},
    {"2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", false, '+', '-'},
    {"2001:1::1", "2001:1::3", true, '-', '-'},
    {"2001:1::4", "2001:2:ffff:ffff:ffff:ffff:ffff:ffff", false, '+', '+'},
    {"2001:3::", "2001:3:ffff:ffff:ffff:ffff:ffff:ffff", true, '-', '-'},
    {"2001:4:112::", "2001:4:112:ffff:ffff:ffff:ffff:ffff", true, '-', '-'},
    {"2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff", false, '-', '+'},
    {"2001:20::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff", true, '-', '-'},
    {"2001:40::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", false, '+', '+'},
    {"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", false, '+', '+'},
    {"2002::", "2002:ff:ffff:ffff:ffff:ffff:ffff:ffff", false, '+', '+'},
    {"2002:7f00::", "2002:7fff:ffff:ffff:ffff:ffff:ffff:ffff", false, '+', '+'},
    {"2002:808:808::", "2002:808:808::1", true, '+', '+'},
    {"2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", true, '+', '+'},
    {"2a00:1450::1", "2a00:1450::1", true, '+', '+'},
    {"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", false, '+', '+'},
    {"5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false, '+', '+'},
    {"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false, '+', '+'},
    {"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false, '+', '-'},
    {"fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false, '-', '-'},
    {"ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false, '-', ' '},
};

static struct resolver_address
address(const char *text)
{
	struct resolver_address a;

	cr_assert(resolved_numeric_address(str_of(text), 25, &a), "%s", text);
	return a;
}

/* Moves to the next (1) or previous (-1) address. */
static void
move(struct resolver_address *a, int step)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&a->sa;
	uint8_t *p = ((struct sockaddr_in6 *)&a->sa)->sin6_addr.s6_addr;
	int i = 15, edge = step > 0 ? 255 : 0;

	if (a->sa.ss_family == AF_INET) {
		v4->sin_addr.s_addr = htonl(ntohl(v4->sin_addr.s_addr) + (uint32_t)step);
		return;
	}
	while (i > 0 && p[i] == edge)
		p[i--] = (uint8_t)(255 - edge);
	p[i] = (uint8_t)(p[i] + step);
}

static void
expect(const struct resolver_address *a, bool is_public, const char *where, const char *of)
{
	cr_expect_eq(address_filter_is_public((const struct sockaddr *)&a->sa), is_public, "%s %s",
	    where, of);
}

Test(relay_address_filter, each_block_and_its_edges)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct range_case *c = &cases[i];
		struct resolver_address first = address(c->first), last = address(c->last);

		expect(&first, c->is_public, "first of", c->first);
		expect(&last, c->is_public, "last of", c->first);
		move(&first, -1);
		move(&last, 1);
		if (c->before != ' ')
			expect(&first, c->before == '+', "before", c->first);
		if (c->after != ' ')
			expect(&last, c->after == '+', "after", c->last);
	}
}

/* ---- the addresses of this machine ---- */

static bool
is_own(const char *text)
{
	struct resolver_address a = address(text);

	return own_address_check((const struct sockaddr *)&a.sa) == OWN_ADDRESS_YES;
}

/* Without a free descriptor the kernel cannot be asked, and the answer is unknown. */
Test(relay_own_addresses, unknown_without_a_free_descriptor)
{
	static const char *const rows[] = {"127.0.0.1", "9.9.9.9", "2620:fe::fe"};
	int lowest = dup(0);
	struct rlimit none = {(rlim_t)lowest, (rlim_t)lowest};

	close(lowest);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (size_t i = 0; i < 3; i++) {
		struct resolver_address a = address(rows[i]);

		cr_expect_eq(own_address_check((const struct sockaddr *)&a.sa), OWN_ADDRESS_UNKNOWN,
		    "%s", rows[i]);
		cr_expect_eq(errno, EMFILE);
	}
}

Test(relay_own_addresses, loopback_is_own_and_others_are_not)
{
	cr_expect(is_own("127.0.0.1"));
	cr_expect(is_own("127.1.2.3"), "all of the loopback network");
	cr_expect_not(is_own("9.9.9.9"));
	cr_expect_not(is_own("2620:fe::fe"));
}

/* A new address of an interface belongs to this machine at once, also a second one, and also where
 * any address can be bound.  Runs in a network namespace of its own. */
Test(relay_own_addresses, follow_the_interfaces)
{
	if (unshare(CLONE_NEWNET) != 0 ||
	    rig_do("ip link set lo up && ip addr add 198.41.0.4/24 dev lo && "
	           "ip addr add 198.41.0.5/24 dev lo && ip -6 addr add 2600::1/64 dev lo nodad"))
		cr_skip_test("no right to make a network");
	cr_expect(is_own("198.41.0.4"));
	cr_expect(is_own("198.41.0.5"), "a second one in the same network");
	cr_expect(is_own("2600::1"));
	cr_expect_not(is_own("199.41.0.6"));
	cr_expect_not(is_own("2601::1"));
	cr_expect_eq(
	    rig_do("sysctl -qw net.ipv4.ip_nonlocal_bind=1 net.ipv6.ip_nonlocal_bind=1"), 0);
	cr_expect(is_own("198.41.0.4"));
	cr_expect(is_own("2600::1"));
	cr_expect_not(is_own("199.41.0.6"));
	cr_expect_not(is_own("2601::1"));
	cr_expect_eq(rig_do("sysctl -qw net.ipv4.ip_nonlocal_bind=0 && ip addr flush dev lo"), 0);
	cr_expect_not(is_own("198.41.0.4"));
}
