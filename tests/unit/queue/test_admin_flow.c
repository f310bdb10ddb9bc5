/* How much of a long answer the queue sends while the reader of the tool does not read. */
#include "queue/admin/admin_flow.h"

#include "rig.h"

enum { FLOW_MESSAGES = 150, FLOW_RECIPIENTS = 50, FLOW_ONE_MESSAGE = 64 << 10,
	FLOW_COMMANDS = 40 };

/* The rows of so many messages are more than twice the window. */
static void
flow_begin(struct rig *r)
{
	static char names[FLOW_RECIPIENTS][40];
	const char *to[FLOW_RECIPIENTS + 1] = {NULL};

	rig_begin(r, rig_slow);
	for (unsigned i = 0; i < FLOW_RECIPIENTS; i++) {
		snprintf(names[i], sizeof names[i], "recipient.number.%u@example.net", i);
		to[i] = names[i];
	}
	for (unsigned i = 0; i < FLOW_MESSAGES; i++)
		cr_assert_eq(rig_commit(r, rig_id(i), "alice@example.com", to).code, 250);
}

/* Another command walks over all the messages meanwhile. */
static void
flow_serve_another(struct rig *r)
{
	rig_admin(r, "queue.show", WITH("from", "alice@example.com"));
	cr_assert_eq(r->done.exit_code, 0, "%s", r->done_text);
	cr_assert_eq(r->row_count, FLOW_MESSAGES * (FLOW_RECIPIENTS + 2), "%u rows",
	    r->row_count);
}

static void
flow_until(struct rig *r, size_t bytes)
{
	for (int i = 0; i < 3000 && r->stalled_bytes < bytes; i++)
		rig_wait(r, 5);
	cr_assert_geq(r->stalled_bytes, bytes);
}

static void
flow_stall(struct rig *r, const char *verb)
{
	r->stalls_next = true;
	rig_admin_soon(r, verb, WITH("from", "alice@example.com"));
	for (int i = 0; i < 3000 && r->stalls_next; i++)
		rig_wait(r, 5);
	cr_assert_not(r->stalls_next);
}

Test(admin_flow, rows_wait_until_the_tool_has_read, .timeout = 120)
{
	static struct rig r;
	size_t told;

	flow_begin(&r);
	flow_stall(&r, "queue.show");
	flow_serve_another(&r);
	flow_until(&r, MESSAGE_ROWS_WINDOW);
	told = r.stalled_bytes;
	cr_assert_lt(told, MESSAGE_ROWS_WINDOW + FLOW_ONE_MESSAGE);
	/* a part is read: as much is sent again */
	rig_rows_taken(&r, r.stalled_call, told, false);
	flow_until(&r, told + MESSAGE_ROWS_WINDOW);
	flow_serve_another(&r);
	cr_assert_lt(r.stalled_bytes, told + MESSAGE_ROWS_WINDOW + FLOW_ONE_MESSAGE);
	cr_assert_eq(r.stalled_ended, 0);
	/* all is read as it comes: the command ends */
	for (int i = 0; i < 3000 && !r.stalled_ended; i++) {
		rig_rows_taken(&r, r.stalled_call, r.stalled_bytes - told, false);
		told = r.stalled_bytes;
		rig_wait(&r, 5);
	}
	cr_assert_eq(r.stalled_ended, 1);
	rig_end(&r);
}

/* Nothing is kept of a command whose client is gone: more of them run than may be open at once. */
Test(admin_flow, a_lost_client_ends_its_command, .timeout = 120)
{
	static struct rig r;

	flow_begin(&r);
	for (int i = 0; i < FLOW_COMMANDS; i++) {
		flow_stall(&r, "queue.show");
		flow_until(&r, MESSAGE_ROWS_WINDOW);
		rig_rows_taken(&r, r.stalled_call, 0, true);
		/* its answer comes behind all rows that were sent before */
		rig_admin(&r, "queue.status", rig_nothing);
	}
	flow_serve_another(&r);
	rig_end(&r);
}

/* The changes are made, although no client gets the answer. */
Test(admin_flow, changes_go_on_without_a_client, .timeout = 120)
{
	static struct rig r;

	flow_begin(&r);
	flow_stall(&r, "queue.hold");
	rig_rows_taken(&r, r.stalled_call, 0, true);
	for (int i = 0; i < 1000; i++) {
		rig_admin(&r, "queue.list", WITH("state", "held"));
		if (r.row_count == FLOW_MESSAGES)
			break;
	}
	cr_assert_eq(r.row_count, FLOW_MESSAGES);
	rig_end(&r);
}

/* A command whose reader stands still does not overtake a later one of the other kind: it goes on
 * at once without sending its rows, and then the later one acts. */
Test(admin_flow, a_later_command_waits_for_no_reader, .timeout = 300)
{
	enum { MESSAGES = 16000 };
	static struct rig r;
	size_t told = 0;

	rig_begin(&r, rig_slow);
	for (unsigned i = 1; i <= MESSAGES; i++)
		rig_commit_soon(&r, rig_id(i), "alice@example.com", TO("a@example.net"));
	rig_until(&r, &r.answers, MESSAGES);
	rig_admin(&r, "queue.hold", WITH("user", "alice@example.com"));
	r.stalls_next = true;
	rig_admin_soon(&r, "queue.release", WITH("user", "alice@example.com"));
	flow_until(&r, MESSAGE_ROWS_WINDOW);
	rig_admin(&r, "queue.hold",
	    WITH("account", "alice@example.com", "reason", "user suspended", "coming", "yes"));
	cr_expect_str_eq(r.done_text, "16000 messages changed\n");
	cr_expect_lt(r.stalled_bytes, MESSAGE_ROWS_WINDOW + FLOW_ONE_MESSAGE, "no rows for it");
	for (int i = 0; i < 3000 && !r.stalled_ended; i++) {
		rig_rows_taken(&r, r.stalled_call, r.stalled_bytes - told, false);
		told = r.stalled_bytes;
		rig_wait(&r, 5);
	}
	cr_expect_eq(r.stalled_ended, 1);
	rig_admin(&r, "queue.list", WITH("state", "held"));
	cr_expect_eq(r.row_count, MESSAGES);
	rig_end(&r);
}
