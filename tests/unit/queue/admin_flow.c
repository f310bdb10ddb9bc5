/* How much the queue says of a long answer while the tool's reader stands. */
#include "queue/admin_flow.h"

#include "rig.h"

enum { CREDIT_MESSAGES = 150, CREDIT_RECIPIENTS = 50, CREDIT_ONE_MESSAGE = 64 << 10,
	CREDIT_COMMANDS = 40 };

/* Of whose messages `queue show` says more than twice what may be under way. */
static void
credit_begin(struct rig *r)
{
	static char names[CREDIT_RECIPIENTS][40];
	const char *to[CREDIT_RECIPIENTS + 1] = {NULL};

	rig_begin(r, rig_slow);
	for (unsigned i = 0; i < CREDIT_RECIPIENTS; i++) {
		snprintf(names[i], sizeof names[i], "recipient.number.%u@example.net", i);
		to[i] = names[i];
	}
	for (unsigned i = 0; i < CREDIT_MESSAGES; i++)
		cr_assert_eq(rig_commit(r, rig_id(i), "alice@example.com", to).code, 250);
}

/* Another one walks over all the messages meanwhile. */
static void
credit_serve_another(struct rig *r)
{
	rig_admin(r, "queue.show", WITH("from", "alice@example.com"));
	cr_assert_eq(r->done.exit_code, 0, "%s", r->done_text);
	cr_assert_eq(r->row_count, CREDIT_MESSAGES * (CREDIT_RECIPIENTS + 2), "%u rows",
	    r->row_count);
}

static void
credit_until(struct rig *r, size_t bytes)
{
	for (int i = 0; i < 3000 && r->standing_bytes < bytes; i++)
		rig_wait(r, 5);
	cr_assert_geq(r->standing_bytes, bytes);
}

static void
credit_stand(struct rig *r, const char *verb)
{
	r->is_standing = true;
	rig_admin_soon(r, verb, WITH("from", "alice@example.com"));
	for (int i = 0; i < 3000 && r->is_standing; i++)
		rig_wait(r, 5);
	cr_assert_not(r->is_standing);
}

Test(credit, no_more_is_said_than_is_taken, .timeout = 120)
{
	static struct rig r;
	size_t told;

	credit_begin(&r);
	credit_stand(&r, "queue.show");
	credit_serve_another(&r);
	credit_until(&r, MESSAGE_ROWS_WINDOW);
	told = r.standing_bytes;
	cr_assert_lt(told, MESSAGE_ROWS_WINDOW + CREDIT_ONE_MESSAGE);
	/* a part is taken: as much is said again */
	rig_taken(&r, r.standing, told, false);
	credit_until(&r, told + MESSAGE_ROWS_WINDOW);
	credit_serve_another(&r);
	cr_assert_lt(r.standing_bytes, told + MESSAGE_ROWS_WINDOW + CREDIT_ONE_MESSAGE);
	cr_assert_eq(r.standing_ended, 0);
	/* all is taken as it comes: it ends */
	for (int i = 0; i < 3000 && !r.standing_ended; i++) {
		rig_taken(&r, r.standing, r.standing_bytes - told, false);
		told = r.standing_bytes;
		rig_wait(&r, 5);
	}
	cr_assert_eq(r.standing_ended, 1);
	rig_end(&r);
}

/* Nothing is kept of a command whose client is gone: more of them than may be open at once. */
Test(credit, a_client_that_is_gone_ends_its_command, .timeout = 120)
{
	static struct rig r;

	credit_begin(&r);
	for (int i = 0; i < CREDIT_COMMANDS; i++) {
		credit_stand(&r, "queue.show");
		credit_until(&r, MESSAGE_ROWS_WINDOW);
		rig_taken(&r, r.standing, 0, true);
		/* its answer comes behind all rows that were on their way */
		rig_admin(&r, "queue.status", rig_nothing);
	}
	credit_serve_another(&r);
	rig_end(&r);
}

/* What was asked for is done, although nobody hears of it any more. */
Test(credit, changes_go_on_without_their_client, .timeout = 120)
{
	static struct rig r;

	credit_begin(&r);
	credit_stand(&r, "queue.hold");
	rig_taken(&r, r.standing, 0, true);
	for (int i = 0; i < 1000; i++) {
		rig_admin(&r, "queue.list", WITH("state", "held"));
		if (r.row_count == CREDIT_MESSAGES)
			break;
	}
	cr_assert_eq(r.row_count, CREDIT_MESSAGES);
	rig_end(&r);
}
