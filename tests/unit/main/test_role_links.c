/* role_links and restart_backoff: two running roles are connected again, and no role can keep main
 * busy. */
#include <criterion/criterion.h>
#include <unistd.h>

#include "base/clock.h"
#include "main/restart_backoff.h"
#include "main/role_links.h"
#include "rig.h"

static struct rig r;

static void
role_links_set_up(void)
{
	rig_set_up(&r);
}

static void
role_links_tear_down(void)
{
	rig_tear_down(&r);
}

TestSuite(role_links, .init = role_links_set_up, .fini = role_links_tear_down);

static void
report(struct rig_role *role, enum role_kind kind, uint32_t number)
{
	struct message_peer_lost m = {.role = (uint8_t)kind, .number = number};

	cr_assert_eq(channel_send(role->channel, MESSAGE_PEER_LOST, &m, -1), 0);
}

static bool
are_connected(const struct rig_role *a, const struct rig_role *b)
{
	char text[4] = "";

	return write(a->peer_fd, "hey", 3) == 3 && read(b->peer_fd, text, sizeof text) == 3 &&
	    a->peer.number == b->peer.number;
}

Test(role_links, linked_roles_get_a_channel)
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
	cr_expect(are_connected(queue, relay));
}

Test(role_links, a_lost_channel_of_two_running_roles_is_replaced)
{
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0), *relay = rig_role(&r, ROLE_RELAY, 0);
	uint32_t first;

	role_links_make(relay->instance);
	rig_run(&r, 0);
	first = queue->peer.number;
	/* both report it */
	report(queue, ROLE_RELAY, first);
	report(relay, ROLE_QUEUE, first);
	rig_run(&r, 250);
	cr_expect_eq(queue->peers, 2);
	cr_expect_eq(relay->peers, 2);
	cr_expect(are_connected(queue, relay));
	/* a late report about the former channel */
	report(queue, ROLE_RELAY, first);
	rig_run(&r, 500);
	cr_expect_eq(queue->peers, 2);
}

Test(role_links, a_replaced_role_is_not_connected_twice)
{
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0), *relay = rig_role(&r, ROLE_RELAY, 0);

	role_links_make(relay->instance);
	rig_run(&r, 0);
	report(queue, ROLE_RELAY, queue->peer.number);
	rig_run(&r, 0);
	/* it had ended: its successor is connected when it starts */
	relay->instance->incarnation = ++r.d.incarnations;
	rig_run(&r, 300);
	cr_expect_eq(queue->peers, 1);
	role_links_make(relay->instance);
	rig_run(&r, 0);
	cr_expect_eq(queue->peers, 2);
	/* a report about the channel of the ended process */
	report(queue, ROLE_RELAY, queue->peer.number - 1);
	rig_run(&r, 300);
	cr_expect_eq(queue->peers, 2);
}

/* Two faulty roles lose each new channel at once. */
Test(role_links, pauses_grow)
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

/* Reports about roles that do not exist, or are not linked, have no effect. */
Test(role_links, unknown_roles_are_ignored)
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

Test(restart_backoff, doubles_up_to_its_maximum)
{
	static const int64_t rows[] = {
	    100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000};

	for (unsigned n = 0; n < sizeof rows / sizeof *rows; n++)
		cr_expect_eq(restart_backoff_ms(n), rows[n], "%u", n);
	cr_expect_eq(restart_backoff_ms(4000000000u), 30000);
}

/* With as many keys processes as submission processes, each submission process has two of them. */
Test(role_links, a_submission_process_has_two_keys_processes)
{
	enum { COUNT = 3 };
	struct rig_role *keys[COUNT], *submission;

	r.d.submission_count = COUNT;
	for (unsigned n = 0; n < COUNT; n++)
		keys[n] = rig_role(&r, ROLE_KEYS, n);
	submission = rig_role(&r, ROLE_SUBMISSION, 2);
	role_links_make(submission->instance);
	rig_run(&r, 0);
	cr_expect_eq(submission->peers, 2);
	cr_expect_eq(keys[0]->peers, 1, "the one after the last one is the first one");
	cr_expect_eq(keys[1]->peers, 0);
	cr_expect_eq(keys[2]->peers, 1);
	/* a keys process that is started again gets its channels to both of its clients */
	role_links_make(keys[0]->instance);
	rig_run(&r, 0);
	cr_expect_eq(keys[0]->peers, 2);
	cr_expect_eq(submission->peers, 3);
}
