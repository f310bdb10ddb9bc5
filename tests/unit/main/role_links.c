/* role_links and restart_backoff: two that live are joined anew, and nobody can make main spin. */
#include <criterion/criterion.h>
#include <unistd.h>

#include "base/clock.h"
#include "main/restart_backoff.h"
#include "main/role_links.h"
#include "rig.h"

static struct rig r;

static void
joints_set_up(void)
{
	rig_set_up(&r);
}

static void
joints_tear_down(void)
{
	rig_tear_down(&r);
}

TestSuite(joints, .init = joints_set_up, .fini = joints_tear_down);

static void
report(struct rig_role *role, enum role_kind kind, uint32_t number)
{
	struct message_peer_lost m = {.role = (uint8_t)kind, .number = number};

	cr_assert_eq(channel_send(role->channel, MESSAGE_PEER_LOST, &m, -1), 0);
}

static bool
are_joined(const struct rig_role *a, const struct rig_role *b)
{
	char text[4] = "";

	return write(a->peer_fd, "hey", 3) == 3 && read(b->peer_fd, text, sizeof text) == 3 &&
	    a->peer.number == b->peer.number;
}

Test(joints, who_is_linked_gets_a_pair)
{
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0), *relay = rig_role(&r, ROLE_RELAY, 0),
	    *keys = rig_role(&r, ROLE_KEYS, 0);

	role_links_make(relay->instance);
	rig_run(&r, 0);
	cr_assert_eq(queue->peers, 1);
	cr_assert_eq(relay->peers, 1);
	cr_expect_eq(keys->peers, 0);
	cr_expect_eq(queue->peer.role, ROLE_RELAY);
	cr_expect_eq(relay->peer.role, ROLE_QUEUE);
	cr_expect(are_joined(queue, relay));
}

Test(joints, a_lost_channel_of_two_that_live_is_replaced)
{
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0), *relay = rig_role(&r, ROLE_RELAY, 0);
	uint32_t first;

	role_links_make(relay->instance);
	rig_run(&r, 0);
	first = queue->peer.number;
	/* both tell it */
	report(queue, ROLE_RELAY, first);
	report(relay, ROLE_QUEUE, first);
	rig_run(&r, 250);
	cr_expect_eq(queue->peers, 2);
	cr_expect_eq(relay->peers, 2);
	cr_expect(are_joined(queue, relay));
	/* a report that was under way speaks of the former pair */
	report(queue, ROLE_RELAY, first);
	rig_run(&r, 500);
	cr_expect_eq(queue->peers, 2);
}

Test(joints, one_that_was_replaced_is_not_joined_twice)
{
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0), *relay = rig_role(&r, ROLE_RELAY, 0);

	role_links_make(relay->instance);
	rig_run(&r, 0);
	report(queue, ROLE_RELAY, queue->peer.number);
	rig_run(&r, 0);
	/* it had died: its successor is joined when it starts */
	relay->instance->incarnation = ++r.d.incarnations;
	rig_run(&r, 300);
	cr_expect_eq(queue->peers, 1);
	role_links_make(relay->instance);
	rig_run(&r, 0);
	cr_expect_eq(queue->peers, 2);
	/* a report of what the dead one had */
	report(queue, ROLE_RELAY, queue->peer.number - 1);
	rig_run(&r, 300);
	cr_expect_eq(queue->peers, 2);
}

/* Two broken roles lose each new channel at once. */
Test(joints, pauses_grow)
{
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0), *relay = rig_role(&r, ROLE_RELAY, 0);
	int64_t until_ms = clock_mono_ms() + 2000;

	role_links_make(relay->instance);
	while (clock_mono_ms() < until_ms) {
		rig_run(&r, 10);
		report(queue, ROLE_RELAY, queue->peer.number);
	}
	/* after 0.1, 0.3, 0.7, 1.5 s */
	cr_expect_leq(queue->peers, 5, "%u", queue->peers);
	cr_expect_geq(queue->peers, 2);
}

/* What a role says of roles that are not there, or not its peers, is nothing. */
Test(joints, nonsense_is_passed_over)
{
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0), *relay = rig_role(&r, ROLE_RELAY, 0);

	role_links_make(relay->instance);
	rig_run(&r, 0);
	for (int kind = 0; kind < 256; kind++)
		report(queue, (enum role_kind)kind, kind == ROLE_RELAY ? 0 : queue->peer.number);
	rig_run(&r, 300);
	cr_expect_eq(queue->peers, 1);
	cr_expect_eq(relay->peers, 1);
}

Test(backoff, doubles_up_to_its_end)
{
	static const int64_t rows[] = {
	    100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000};

	for (unsigned n = 0; n < sizeof rows / sizeof *rows; n++)
		cr_expect_eq(restart_backoff_ms(n), rows[n], "%u", n);
	cr_expect_eq(restart_backoff_ms(4000000000u), 30000);
}
