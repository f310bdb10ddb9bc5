/* The rows for the operator, from a running queue. */
#include "queue/admin/admin_format.h"

#include "rig.h"
#include "spool/spool_threads.h"

struct expected {
	const char *key, *value;
};

static void
check_row(struct rig *r, unsigned row, const struct expected *expected)
{
	for (; expected->key; expected++) {
		struct str value = rig_row(r, row, expected->key);

		cr_assert(str_eq(value, str_of(expected->value)), "row %u: %s is %.*s, not %s", row,
		    expected->key, STR_ARG(value), expected->value);
	}
}

/* A message with one recipient that was sent, one deferred and one running. */
Test(admin_format, a_message_and_its_recipients, .timeout = 60)
{
	static struct rig r;
	static const struct expected message[] = {{"user", "alice@example.com"},
	    {"from", "alice@example.com"}, {"state", "active"}, {"recipients", "2"}, {"size", "58"},
	    {NULL, NULL}};
	static const struct expected recipients[][8] = {
	    {{"to", "a@example.net"}, {"state", "sent"}, {NULL, NULL}},
	    {{"to", "b@example.net"}, {"state", "deferred"}, {"tries", "1"},
	        {"reason", "greylisted"}, {"reply", "451 4.0.0 remote text 451"},
	        {"mx", "mx.example.net"}, {"destination", "mx:example.net"}, {NULL, NULL}},
	    {{"to", "c@example.org"}, {"state", "new"}, {"tries", "0"}, {"next", "now"},
	        {"destination", "mx:example.org"}, {NULL, NULL}}};
	static const struct expected sent[] = {{"state", "sent"}, {"reason", "none"}, {NULL, NULL}};
	static const struct expected held[] = {{"state", "held"}, {"reason", "operator"},
	    {"next", "held"}, {NULL, NULL}};
	char id[ID_NUMBER_TEXT_BYTES];

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com",
	                 TO("a@example.net", "b@example.net", "c@example.org"))
	                 .code,
	    250);
	rig_attempt(&r, 1);
	for (unsigned i = 0; i < 2; i++)
		if (r.attempts[i].count == 2) {
			rig_result(&r, &r.attempts[i], 0, 250, "none");
			rig_result(&r, &r.attempts[i], 1, 451, "greylisted");
		}
	rig_until(&r, &r.stored, 2);
	rig_admin(&r, "queue.show", WITH("id", msgid_text(rig_id(1), 0, id)));
	cr_assert_eq(r.row_count, 5, "message, three recipients, envelope");
	check_row(&r, 0, message);
	for (unsigned i = 0; i < 3; i++)
		check_row(&r, i + 1, recipients[i]);
	cr_assert(str_eq(rig_row(&r, 4, "header_from"), STR("alice@example.com")));
	cr_assert(str_starts(rig_row(&r, 2, "tried"), STR("20")), "when the last attempt was");
	cr_assert_eq(rig_row(&r, 3, "tried").n, 0, "there was none");
	rig_admin(&r, "queue.show", WITH("id", msgid_text(rig_id(1), 0, id), "body", "1"));
	cr_assert_eq(r.row_count, 6);
	cr_assert(str_eq(rig_row(&r, 5, "row"), STR("body")));
	cr_assert(str_eq(rig_row(&r, 5, "body"), STR("Hello, world\r\n")));
	/* a hold does not change the settled recipient */
	rig_admin(&r, "queue.hold", WITH("id", msgid_text(rig_id(1), 0, id)));
	rig_admin(&r, "queue.show", WITH("id", msgid_text(rig_id(1), 0, id)));
	cr_assert(
	    str_eq(message_values_get(str_make(r.total, r.total_bytes), "changed"), STR("1")));
	check_row(&r, 1, sent);
	check_row(&r, 2, held);
	rig_end(&r);
}

/* A recipient that was sent keeps its attempts and has no next one, whatever comes of the other
 * recipient of its domain; also after a restart. */
Test(admin_format, a_recipient_at_its_end_has_nothing_of_later_attempts, .timeout = 60)
{
	static struct rig r;
	static const struct expected sent[] = {{"to", "a@example.net"}, {"state", "sent"},
	    {"tries", "1"}, {"next", ""}, {"destination", ""}, {"reason", "none"},
	    {"reply", "250 2.0.0 remote text 250"}, {"mx", "mx.example.net"}, {NULL, NULL}};
	static const struct expected failed[] = {{"to", "c@example.net"}, {"state", "failed"},
	    {"tries", "2"}, {"next", ""}, {"reply", "550 5.0.0 remote text 550"}, {NULL, NULL}};
	static const struct expected open[] = {{"to", "b@example.net"}, {"state", "deferred"},
	    {"tries", "3"}, {"reason", "connect"}, {NULL, NULL}};
	char id[ID_NUMBER_TEXT_BYTES];

	rig_begin(&r, rig_quick);
	rig_relay(&r, true);
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com",
	                 TO("a@example.net", "b@example.net", "c@example.net"))
	                 .code,
	    250);
	rig_attempt(&r, 0);
	rig_result(&r, &r.attempts[0], 0, 250, "none");
	rig_result(&r, &r.attempts[0], 1, 451, "greylisted");
	rig_result(&r, &r.attempts[0], 2, 451, "greylisted");
	rig_until(&r, &r.stored, 3);
	rig_attempt(&r, 1);
	rig_result(&r, &r.attempts[1], 0, 451, "greylisted");
	rig_result(&r, &r.attempts[1], 1, 550, "mailbox");
	rig_until(&r, &r.stored, 5);
	while (r.attempt_count < 3 || rig_reports(&r) == r.attempt_count - 2)
		rig_wait(&r, 10);
	for (unsigned i = 2; i < r.attempt_count; i++)
		if (r.attempts[i].kind == ENVELOPE_MESSAGE)
			rig_results(&r, &r.attempts[i], 451, "connect");
	rig_until(&r, &r.stored, 6);
	msgid_text(rig_id(1), 0, id);
	for (unsigned i = 0; i < 2; i++) {
		rig_admin(&r, "queue.show", WITH("id", id));
		check_row(&r, 1, sent);
		check_row(&r, 2, open);
		check_row(&r, 3, failed);
		rig_kill(&r);
		rig_start(&r);
	}
	rig_end(&r);
}

/* The counters of `status` agree with the rows, in each state. */
Test(admin_format, status_counts, .timeout = 60)
{
	static struct rig r;
	static const char *const keys[] = {"messages", "active", "deferred", "held", "running"};
	static const char *const expected[] = {"4", "2", "1", "1", "1"};

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com", TO("a@example.net")).code, 250);
	rig_attempt(&r, 0);
	rig_results(&r, &r.attempts[0], 451, "greylisted");
	rig_until(&r, &r.stored, 1);
	for (unsigned i = 2; i < 5; i++)
		cr_assert_eq(
		    rig_commit(&r, rig_id(i), "alice@example.com",
		        TO(i < 4 ? "a@example.org" : "b@example.edu"))
		        .code,
		    250);
	rig_attempt(&r, 2);
	rig_admin(&r, "queue.hold", WITH("domain", "example.edu"));
	rig_results(&r, &r.attempts[2], 451, "greylisted");
	rig_results(&r, &r.attempts[1], 451, "connect");
	rig_until(&r, &r.stored, 3);
	rig_admin(&r, "queue.status", rig_nothing);
	cr_assert(str_eq(rig_row(&r, 0, "held"), STR("1")));
	cr_assert(str_eq(rig_row(&r, 0, "deferred"), STR("3")), "one waits for its destination");
	cr_assert(str_eq(rig_row(&r, 0, "active"), STR("0")));
	rig_admin(&r, "queue.retry", WITH("domain", "example.org"));
	rig_attempt(&r, 3);
	rig_admin(&r, "queue.status", rig_nothing);
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		cr_assert(str_eq(rig_row(&r, 0, keys[i]), str_of(expected[i])), "%s", keys[i]);
	for (enum spool_thread t = 0; t < SPOOL_THREADS; t++) {
		char key[32];

		snprintf(key, sizeof key, "%s_s", spool_thread_name(t));
		cr_assert(str_eq(rig_row(&r, 0, key), STR("0")), "%s", key);
	}
	rig_admin(&r, "queue.release", WITH("domain", "example.edu"));
	rig_admin(&r, "queue.delete", WITH("domain", "example.net"));
	rig_admin(&r, "queue.status", rig_nothing);
	cr_assert(str_eq(rig_row(&r, 0, "held"), STR("0")));
	cr_assert(str_eq(rig_row(&r, 0, "messages"), STR("3")));
	rig_end(&r);
}
