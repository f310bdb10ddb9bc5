/* What is logged about hosts of routes that have no address. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "relay/route_host_log.h"

enum { HOUR_MS = 60 * 60 * 1000 };

static int log_fd;

static void
capture_log(void)
{
	log_fd = memfd_create("log", MFD_CLOEXEC);
	cr_assert_eq(dup2(log_fd, STDERR_FILENO), STDERR_FILENO);
}

static unsigned
count(const char *words)
{
	static char all[65536];
	ssize_t n = pread(log_fd, all, sizeof all - 1, 0);
	unsigned found = 0;

	cr_assert_geq(n, 0);
	all[n] = 0;
	for (const char *at = all; (at = strstr(at, words)); at++)
		found++;
	return found;
}

TestSuite(route_host_log, .init = capture_log);

Test(route_host_log, each_destination_is_logged_once_in_an_hour)
{
	static struct route_host_log hosts;
	static const struct resolved_destination one = {
	    .name = "smtp:a.test", .to.next_hop = {"a.test", 6}};
	static const struct resolved_destination two = {
	    .name = "smtp:b.test", .to.next_hop = {"b.test", 6}};

	clock_fake(INT64_C(1795000000000));
	for (int i = 0; i < 3; i++) {
		route_host_log_missing(&hosts, &one);
		route_host_log_missing(&hosts, &two);
	}
	cr_expect_eq(count("destination smtp:a.test: the host a.test has no address"), 1);
	cr_expect_eq(count("destination smtp:b.test: the host b.test has no address"), 1);
	clock_fake(INT64_C(1795000000000) + HOUR_MS);
	route_host_log_missing(&hosts, &one);
	cr_expect_eq(count("destination smtp:a.test: the host a.test has no address"), 2);
}

Test(route_host_log, an_address_is_logged_once)
{
	static struct route_host_log hosts;
	static const struct resolved_destination one = {
	    .name = "smtp:a.test", .to.next_hop = {"a.test", 6}};

	route_host_log_found(&hosts, &one);
	cr_expect_eq(count("relay:"), 0, "it had one before");
	route_host_log_missing(&hosts, &one);
	route_host_log_found(&hosts, &one);
	route_host_log_found(&hosts, &one);
	cr_expect_eq(count("destination smtp:a.test: the host a.test has an address again"), 1);
	route_host_log_missing(&hosts, &one);
	cr_expect_eq(count("destination smtp:a.test: the host a.test has no address"), 2);
}

/* If there are too many entries, the latest ones are kept. */
Test(route_host_log, the_oldest_entry_is_replaced)
{
	static struct route_host_log hosts;
	struct resolved_destination destination = {0};

	for (unsigned i = 0; i <= ROUTE_HOST_LOG_MAX; i++) {
		clock_fake(INT64_C(1795000000000) + i);
		snprintf(destination.name, sizeof destination.name, "smtp:%u", i);
		route_host_log_missing(&hosts, &destination);
	}
	route_host_log_missing(&hosts, &destination);
	cr_expect_eq(count("has no address"), ROUTE_HOST_LOG_MAX + 1);
	snprintf(destination.name, sizeof destination.name, "smtp:0");
	route_host_log_missing(&hosts, &destination);
	cr_expect_eq(count("has no address"), ROUTE_HOST_LOG_MAX + 2, "the first was forgotten");
}
