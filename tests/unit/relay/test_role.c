/* The role from DELIVER to RESULT, against a real receiving host (tests/support/sink). */
#include <criterion/criterion.h>
#include <stdio.h>

#include "unit/relay/rig.h"

static const char *
conf_for(unsigned port, const char *more)
{
	static char text[2000];

	snprintf(text, sizeof text,
	    "hostname = \"gw.example.com\";\n"
	    "dns: { resolver = \"127.0.0.1@1\"; };\n"
	    "routes: ( { to_domain = \"host.test\"; via = \"smtp\"; host = \"127.0.0.1\"; port = "
	    "%u; %s } );\n",
	    port, more);
	return text;
}

Test(relay_role, delivers, .init = rig_set_up, .fini = rig_tear_down)
{
	unsigned port;
	pid_t host = rig_sink("", &port);
	struct rig *r = rig_new(conf_for(port, ""));
	char output[200];

	rig_deliver(r,
	    &(struct rig_mail){
	        .attempt_id = 1, .domain = "host.test", .to = {"bob@host.test", "eva@host.test"}});
	cr_assert(rig_wait(r, 2));
	rig_result_is(&r->results[0], 250, "none");
	rig_result_is(&r->results[1], 250, "none");
	cr_expect_str_eq(r->results[0].host, "127.0.0.1");
	cr_expect_eq(r->results[0].port, port);
	cr_expect_str_eq(r->results[0].tls, "none");
	cr_expect_not(r->results[0].is_last);
	cr_expect(r->results[1].is_last);
	cr_expect(r->results[1].dsn_passed_on);
	rig_has_file("1.eml", "Subject: test\r\n\r\nHello\r\n.dot\r\n");
	rig_has_file("1.env",
	    "helo=gw.example.com\ntls=none\nmail=FROM:<alice@example.com> SIZE=30\n"
	    "rcpt=TO:<bob@host.test>\nrcpt=TO:<eva@host.test>\n");
	rig_free(&r);
	rig_end(host, output);
	cr_expect_str_eq(output, "connections=1 messages=1 recipients=2\n");
}

Test(relay_role, reuses_the_connection, .init = rig_set_up, .fini = rig_tear_down)
{
	unsigned port;
	pid_t host = rig_sink("--fail 'rcpt/refused=550 5.1.1 no such user'", &port);
	struct rig *r = rig_new(conf_for(port, ""));
	char output[200];

	for (uint64_t i = 1; i <= 120; i++) {
		rig_deliver(r, &(struct rig_mail){.attempt_id = i,
		                   .domain = "host.test",
		                   .to = {i % 3 ? "bob@host.test" : "refused@host.test"}});
		cr_assert(rig_wait(r, i));
		rig_result_is(&r->results[i - 1], i % 3 ? 250 : 550, i % 3 ? "none" : "mailbox");
		cr_expect(r->results[i - 1].is_last);
	}
	rig_free(&r);
	rig_end(host, output);
	cr_expect_str_eq(output, "connections=2 messages=80 recipients=80\n", "%s", output);
}

Test(relay_role, concurrent_attempts, .init = rig_set_up, .fini = rig_tear_down)
{
	unsigned port;
	pid_t host = rig_sink("", &port);
	struct rig *r = rig_new(conf_for(port, ""));

	for (uint64_t i = 1; i <= 50; i++)
		rig_deliver(
		    r, &(struct rig_mail){
		           .attempt_id = i, .domain = "host.test", .to = {"bob@host.test"}});
	cr_assert(rig_wait(r, 50));
	for (size_t i = 0; i < 50; i++)
		rig_result_is(&r->results[i], 250, "none");
	rig_free(&r);
	rig_end(host, NULL);
}

Test(relay_role, large_bodies_from_a_file, .init = rig_set_up, .fini = rig_tear_down)
{
	static const char *const options[] = {"", "--no CHUNKING", "--no PIPELINING --no CHUNKING"};

	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		unsigned port;
		pid_t host = rig_sink(options[i], &port);
		struct rig *r = rig_new(conf_for(port, ""));

		rig_deliver(r, &(struct rig_mail){.attempt_id = 1,
		                   .domain = "host.test",
		                   .to = {"bob@host.test"},
		                   .file_bytes = 8 << 20});
		cr_assert(rig_wait(r, 1));
		rig_result_is(&r->results[0], 250, "none");
		rig_free(&r);
		rig_end(host, NULL);
		cr_expect_eq(rig_file_bytes("1.eml"), (8 << 20) + 17, "%s", options[i]);
	}
}

Test(relay_role, greylisted_then_accepted, .init = rig_set_up, .fini = rig_tear_down)
{
	unsigned port;
	pid_t host = rig_sink("--greylist", &port);
	struct rig *r = rig_new(conf_for(port, ""));

	rig_deliver(
	    r, &(struct rig_mail){.attempt_id = 1, .domain = "host.test", .to = {"bob@host.test"}});
	cr_assert(rig_wait(r, 1));
	rig_result_is(&r->results[0], 451, "greylisted");
	rig_deliver(
	    r, &(struct rig_mail){.attempt_id = 2, .domain = "host.test", .to = {"bob@host.test"}});
	cr_assert(rig_wait(r, 2));
	rig_result_is(&r->results[1], 250, "none");
	rig_free(&r);
	rig_end(host, NULL);
}

Test(relay_role, lmtp, .init = rig_set_up, .fini = rig_tear_down)
{
	unsigned port;
	pid_t host = rig_sink("--lmtp --fail 'final/eva=452 4.2.2 over quota'", &port);
	char conf[300];
	struct rig *r;

	snprintf(conf, sizeof conf,
	    "hostname = \"gw.example.com\";\nroutes: ( { via = \"lmtp\"; "
	    "host = \"127.0.0.1\"; port = %u; } );\n",
	    port);
	r = rig_new(conf);
	rig_deliver(r,
	    &(struct rig_mail){
	        .attempt_id = 1, .domain = "host.test", .to = {"bob@host.test", "eva@host.test"}});
	cr_assert(rig_wait(r, 2));
	rig_result_is(&r->results[0], 250, "none");
	rig_result_is(&r->results[1], 452, "mailbox_full");
	rig_free(&r);
	rig_end(host, NULL);
}

Test(relay_role, fails_at_each_phase, .init = rig_set_up, .fini = rig_tear_down)
{
	static const struct {
		const char *fail;
		unsigned code;
		const char *reason;
	} cases[] = {
	    {"greeting=421 4.3.2 busy", 421, "busy"},
	    {"greeting=554 5.7.1 go away", 554, "refused"},
	    {"greeting=drop", 451, "lost"},
	    {"ehlo=421 4.3.2 busy", 421, "busy"},
	    {"ehlo=451 4.3.2 busy", 451, "busy"},
	    {"ehlo=drop", 451, "lost"},
	    {"mail=451 4.3.0 later", 451, "refused"},
	    {"mail=550 5.7.1 no", 550, "refused"},
	    {"mail=drop", 451, "lost"},
	    {"rcpt=450 4.2.1 busy", 450, "mailbox"},
	    {"rcpt=550 5.1.1 no", 550, "mailbox"},
	    {"rcpt=drop", 451, "lost"},
	    {"rcpt=421 4.3.2 closing", 421, "refused"},
	    {"final=451 4.3.0 later", 451, "refused"},
	    {"final=550 5.7.1 spam", 550, "refused"},
	    {"final=drop", 451, "lost"},
	    {"final=421 4.3.2 closing", 421, "refused"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char options[100];
		unsigned port;
		pid_t host;
		struct rig *r;

		snprintf(options, sizeof options, "--fail '%s'", cases[i].fail);
		host = rig_sink(options, &port);
		r = rig_new(conf_for(port, ""));
		rig_deliver(
		    r, &(struct rig_mail){
		           .attempt_id = 1, .domain = "host.test", .to = {"bob@host.test"}});
		cr_assert(rig_wait(r, 1), "%s", cases[i].fail);
		cr_expect_eq(r->results[0].status.code, cases[i].code, "%s: %u", cases[i].fail,
		    r->results[0].status.code);
		cr_expect_str_eq(r->results[0].reason, cases[i].reason, "%s: %s", cases[i].fail,
		    r->results[0].reason);
		cr_expect(r->results[0].is_last);
		rig_free(&r);
		rig_end(host, NULL);
	}
}

Test(relay_role, bad_chunking_is_tried_again_without, .init = rig_set_up, .fini = rig_tear_down)
{
	unsigned port;
	pid_t host = rig_sink("--fail 'bdat=500 5.5.2 what is BDAT'", &port);
	struct rig *r = rig_new(conf_for(port, ""));
	char output[200];

	rig_deliver(
	    r, &(struct rig_mail){.attempt_id = 1, .domain = "host.test", .to = {"bob@host.test"}});
	cr_assert(rig_wait(r, 1));
	rig_result_is(&r->results[0], 250, "none");
	rig_has_file("1.eml", "Subject: test\r\n\r\nHello\r\n.dot\r\n");
	rig_free(&r);
	rig_end(host, output);
	cr_expect_str_eq(output, "connections=2 messages=1 recipients=1\n");
}

/* c26: accepted recipients get the message, and the others get it at once in the next transaction,
 * on the same connection. */
Test(relay_role, too_many_recipients_for_one_transaction, .init = rig_set_up, .fini = rig_tear_down)
{
	unsigned port;
	pid_t host = rig_sink("--fail 'rcpt/eva*1=452 4.5.3 too many recipients' "
	                      "--fail 'rcpt/dan*2=552 5.5.3 too many recipients'",
	    &port);
	struct rig *r = rig_new(conf_for(port, ""));
	char output[200];

	rig_deliver(r, &(struct rig_mail){.attempt_id = 1,
	                   .domain = "host.test",
	                   .to = {"bob@host.test", "eva@host.test", "dan@host.test"}});
	cr_assert(rig_wait(r, 3));
	for (uint32_t i = 0; i < 3; i++) {
		rig_result_is(&r->results[i], 250, "none");
		cr_expect_eq(r->results[i].recipient, i + 1);
		cr_expect_eq(r->results[i].is_last, i == 2);
	}
	rig_free(&r);
	rig_end(host, output);
	cr_expect_str_eq(output, "connections=1 messages=3 recipients=3\n", "%s", output);
}

Test(relay_role, a_broken_idle_connection_is_replaced, .init = rig_set_up, .fini = rig_tear_down)
{
	unsigned port;
	pid_t host = rig_sink("--fail 'rcpt/eva*1=drop'", &port);
	struct rig *r = rig_new(conf_for(port, ""));

	rig_deliver(
	    r, &(struct rig_mail){.attempt_id = 1, .domain = "host.test", .to = {"bob@host.test"}});
	cr_assert(rig_wait(r, 1));
	rig_deliver(
	    r, &(struct rig_mail){.attempt_id = 2, .domain = "host.test", .to = {"eva@host.test"}});
	cr_assert(rig_wait(r, 2));
	rig_result_is(&r->results[1], 250, "none");
	rig_free(&r);
	rig_end(host, NULL);
}

Test(relay_role, no_host_listens, .init = rig_set_up, .fini = rig_tear_down)
{
	struct rig *r = rig_new(conf_for(1, ""));

	rig_deliver(
	    r, &(struct rig_mail){.attempt_id = 1, .domain = "host.test", .to = {"bob@host.test"}});
	cr_assert(rig_wait(r, 1));
	rig_result_is(&r->results[0], 451, "connect");
	rig_free(&r);
}

Test(relay_role, results_are_kept_for_a_new_queue, .init = rig_set_up, .fini = rig_tear_down)
{
	unsigned port;
	pid_t host = rig_sink("--delay 300", &port);
	struct rig *r = rig_new(conf_for(port, ""));

	rig_deliver(
	    r, &(struct rig_mail){.attempt_id = 1, .domain = "host.test", .to = {"bob@host.test"}});
	rig_deliver(
	    r, &(struct rig_mail){.attempt_id = 2, .domain = "host.test", .to = {"eva@host.test"}});
	cr_assert(rig_wait(r, 2));
	rig_stored(r, 0);
	rig_deliver(
	    r, &(struct rig_mail){.attempt_id = 3, .domain = "host.test", .to = {"dan@host.test"}});
	rig_idle(r, 50);
	rig_new_queue(r);
	cr_expect_eq(r->result_count, 1, "one was stored, one is sent again, one is running");
	cr_expect_eq(r->running_count, 1);
	cr_assert(rig_wait(r, 2), "the running one ends");
	cr_expect_eq(r->results[1].attempt_id, 3);
	rig_result_is(&r->results[1], 250, "none");
	rig_free(&r);
	rig_end(host, NULL);
}

/* Relay follows what the queue decided, whatever its own routes say of the domain. */
Test(relay_role, what_the_queue_decided_is_done, .init = rig_set_up, .fini = rig_tear_down)
{
	unsigned port;
	pid_t host = rig_sink("", &port);
	struct rig *r = rig_new(conf_for(1, ""));

	rig_decide_by(r, conf_for(port, ""));
	rig_deliver(
	    r, &(struct rig_mail){.attempt_id = 1, .domain = "host.test", .to = {"b@host.test"}});
	cr_assert(rig_wait(r, 1));
	rig_result_is(&r->results[0], 250, "none");
	rig_free(&r);
	rig_end(host, NULL);
}

/* The queue has a login that relay has not yet: nothing is tried with another password, and the
 * queue hears at once that nothing was begun. */
Test(relay_role, a_login_that_is_not_configured, .init = rig_set_up, .fini = rig_tear_down)
{
	static const char route[] =
	    "hostname = \"gw.example.com\";\n"
	    "routes: ( { via = \"smarthost\"; host = \"127.0.0.1\"; port = 1; tls = \"verify\";"
	    " username = \"%s\"; password = \"p\"; } );\n";
	char before[400], after[400];
	const struct rig_mail mail = {
	    .attempt_id = 1, .domain = "host.test", .to = {"b@host.test", "c@host.test"}};
	struct rig *r;

	snprintf(before, sizeof before, route, "one");
	snprintf(after, sizeof after, route, "two");
	r = rig_new(before);
	rig_decide_by(r, after);
	rig_deliver(r, &mail);
	cr_assert(rig_wait(r, 1));
	rig_result_is(&r->results[0], 451, "reloading");
	cr_expect_eq(r->results[0].recipient, 0);
	cr_expect(r->results[0].is_last);
	rig_configure(r, after);
	rig_deliver(r, &mail);
	cr_assert(rig_wait(r, 3));
	rig_result_is(&r->results[1], 451, "connect");
	rig_free(&r);
}

Test(relay_role, destinations_without_dns, .init = rig_set_up, .fini = rig_tear_down)
{
	struct rig *r = rig_new(conf_for(2525, ""));

	rig_ask_destination(r, "host.test");
	cr_expect_str_eq(r->destination, "smtp:127.0.0.1;port=2525");
	rig_ask_destination(r, "[127.0.0.1]");
	cr_expect_str_eq(r->destination, "mx:127.0.0.1");
	rig_ask_destination(r, "other.test");
	cr_expect_str_eq(r->destination, "");
	cr_expect_eq(
	    r->destination_status.code, 451, "no DNS server: %s", r->destination_status.text);
	rig_deliver(r, &(struct rig_mail){
	                   .attempt_id = 1, .domain = "[127.0.0.1]", .to = {"bob@[127.0.0.1]"}});
	cr_assert(rig_wait(r, 1));
	rig_result_is(&r->results[0], 550, "unroutable");
	rig_test_route(r, "bob@host.test");
	cr_expect_eq(r->exit_code, 0);
	cr_expect_not_null(strstr(r->rows, "via=smtp"), "%s", r->rows);
	cr_expect_not_null(strstr(r->rows, "host=127.0.0.1"), "%s", r->rows);
	rig_test_route(r, "no address");
	cr_expect_eq(r->exit_code, 64);
	rig_free(&r);
}

/* The test of a route reports the status that a delivery ends with. */
Test(relay_role, a_route_test_ends_like_a_delivery, .init = rig_set_up, .fini = rig_tear_down)
{
	struct rig *r = rig_new(conf_for(2525, ""));

	rig_deliver(r, &(struct rig_mail){
	                   .attempt_id = 1, .domain = "[127.0.0.1]", .to = {"bob@[127.0.0.1]"}});
	cr_assert(rig_wait(r, 1));
	rig_result_is(&r->results[0], 550, "unroutable");
	rig_test_route(r, "bob@[127.0.0.1]");
	cr_expect_eq(r->exit_code, 1);
	cr_expect(strncmp(r->done_text, "550 5.4.4 ", 10) == 0, "%s", r->done_text);
	cr_expect_not_null(strstr(r->done_text, r->results[0].status.text), "%s", r->done_text);
	cr_expect_not_null(strstr(r->done_text, "routes.allow_private"), "%s", r->done_text);
	cr_expect_not_null(strstr(r->rows, "addresses=127.0.0.1(private)"), "%s", r->rows);
	rig_free(&r);
}

/* As at RCPT: <postmaster> is replaced by the configured address, every other name must have a
 * domain. */
Test(relay_role, a_route_test_of_a_name_without_domain, .init = rig_set_up,
    .fini = rig_tear_down)
{
	char conf[2200];
	struct rig *r;

	snprintf(conf, sizeof conf, "postmaster = \"boss@host.test\";\n%s", conf_for(2525, ""));
	r = rig_new(conf);
	rig_test_route(r, "PostMaster");
	cr_expect_eq(r->exit_code, 0, "%s", r->done_text);
	cr_expect_not_null(strstr(r->rows, "address=boss@host.test "), "%s", r->rows);
	rig_test_route(r, "alice");
	cr_expect_eq(r->exit_code, 64);
	cr_expect_not_null(strstr(r->done_text, "domain"), "%s", r->done_text);
	rig_test_route(r, "host.test");
	cr_expect_eq(r->exit_code, 0);
	rig_free(&r);
}

Test(relay_role, reload_changes_the_route, .init = rig_set_up, .fini = rig_tear_down)
{
	unsigned port;
	pid_t host = rig_sink("", &port);
	struct rig *r = rig_new(conf_for(1, ""));

	rig_deliver(
	    r, &(struct rig_mail){.attempt_id = 1, .domain = "host.test", .to = {"bob@host.test"}});
	cr_assert(rig_wait(r, 1));
	rig_result_is(&r->results[0], 451, "connect");
	rig_configure(r, conf_for(port, ""));
	rig_idle(r, 100);
	rig_deliver(
	    r, &(struct rig_mail){.attempt_id = 2, .domain = "host.test", .to = {"bob@host.test"}});
	cr_assert(rig_wait(r, 2));
	rig_result_is(&r->results[1], 250, "none");
	rig_free(&r);
	rig_end(host, NULL);
}
