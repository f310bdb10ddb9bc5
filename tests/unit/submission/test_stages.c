/* Messages of real sessions pass a table of stages that the test gives them: stages that count,
 * wait, refuse. The last row commits, as in the real table. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "conf/read.h"
#include "submission/stage_commit.h"
#include "submission/stages.h"
#include "unit/submission/player_state.h"

enum { WAIT_MS = 7000 };

/* A client with its session. */
struct stages_client {
	struct player player;
	char why[400];
};

static char order[1000]; /* the names of what was called */
static struct str refused_sender;

static void
note(const char *what)
{
	size_t n = strlen(order);

	snprintf(order + n, sizeof order - n, "%s ", what);
}

/* ---- stages ---- */

static enum stage_step
count(struct stage_message *m)
{
	cr_expect_gt(m->content->header.n, 0);
	note("count");
	return STAGE_NEXT;
}

static enum stage_step
ask(struct stage_message *m)
{
	(void)m;
	note("ask");
	return STAGE_WAIT;
}

/* The answer is a word. */
static enum stage_step
hear(struct stage_message *m, const void *answer)
{
	const struct smtp_status *status = answer;

	note(status->text);
	if (status->code == 350)
		return STAGE_WAIT;
	return status->code == 250 ? STAGE_NEXT : stage_refuse(m, "loop", status);
}

static void
withdraw(struct stage_message *m)
{
	(void)m;
	note("withdraw");
}

static enum stage_step
refuse_one_sender(struct stage_message *m)
{
	struct smtp_status status = smtp_status_make(550, "5.7.1", "Not from you");

	note("judge");
	m->refused_from = STR("x@example.com");
	return str_eq(m->envelope.sender, refused_sender)
	           ? stage_refuse(m, "header_from_not_allowed", &status)
	           : STAGE_NEXT;
}

static const struct stage with_wait[] = {
    {"count", count, NULL, NULL, 0},
    {"ask", ask, hear, withdraw, WAIT_MS},
    {"judge", refuse_one_sender, NULL, NULL, 0},
    {"commit", stage_commit, stage_committed, NULL, STAGE_COMMIT_MS},
    {NULL, NULL, NULL, NULL, 0},
};

/* ---- a client ---- */

static void
client_event(struct stages_client *c, const char *words)
{
	cr_assert(player_event(&c->player, str_of(words)), "%s: %s", words, c->why);
}

static void
expect_reply(struct stages_client *c, const char *pattern)
{
	cr_assert(player_expect_line(&c->player, &c->player.replies, "\r\n", str_of(pattern)),
	    "%s: %s", pattern, c->why);
}

static void
client_begin(struct stages_client *c)
{
	struct buf *all[] = {&c->player.conf_text, &c->player.in, &c->player.replies,
	    &c->player.requests, &c->player.refused, &c->player.header, &c->player.body,
	    &c->player.envelope, &c->player.file};

	*c = (struct stages_client){.player = {.now_ms = 1000}};
	c->player.why = c->why;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		buf_init(all[i], 1 << 20);
	client_event(c, "login alice@example.com");
	c->player.session->stages = with_wait;
	c->player.tokens = 10;
	client_event(c, "manual");
}

static void
client_end(struct stages_client *c)
{
	session_free(&c->player.session);
	conf_drop(&c->player.conf);
	buf_clear(&c->player.conf_text);
	buf_clear(&c->player.in);
	buf_clear(&c->player.replies);
	buf_clear(&c->player.requests);
	buf_clear(&c->player.refused);
	buf_clear(&c->player.header);
	buf_clear(&c->player.body);
	buf_clear(&c->player.envelope);
	buf_clear(&c->player.file);
}

/* Sends a message up to its final dot. */
static void
client_send_from(struct stages_client *c, const char *sender)
{
	char text[300];

	snprintf(text, sizeof text,
	    "MAIL FROM:<%s>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\nFrom: %s\r\n\r\nx\r\n.\r\n",
	    sender, sender);
	player_input(&c->player, str_of(text));
	expect_reply(c, "250 2.1.0 Ok");
	expect_reply(c, "250 2.1.5 Ok");
	expect_reply(c, "354 *");
}

/* A service answers with this word. */
static void
answer(struct stages_client *c, unsigned code, const char *word)
{
	struct smtp_status status =
	    smtp_status_make(code, code == 250 ? "2.0.0" : "5.0.0", "%s", word);

	player_collect(&c->player, session_queue_answer(c->player.session, &status));
	player_continue(&c->player);
}

static struct stages_client one, two;

static void
set_up(void)
{
	order[0] = '\0';
	refused_sender = STR_NULL;
	client_begin(&one);
	client_begin(&two);
	buf_reset(&one.player.requests);
}

static void
tear_down(void)
{
	client_end(&one);
	client_end(&two);
}

TestSuite(stages, .init = set_up, .fini = tear_down);

/* ---- cases ---- */

Test(stages, they_work_in_the_order_of_the_table)
{
	client_send_from(&one, "alice@example.com");
	cr_expect_eq(one.player.step, SESSION_WAIT);
	cr_expect_eq(one.player.committed, 0);
	answer(&one, 250, "heard");
	cr_expect_eq(one.player.step, SESSION_WAIT, "the queue was asked");
	cr_expect_eq(one.player.committed, 1);
	answer(&one, 250, "stored");
	expect_reply(&one, "250 2.0.0 Queued as *-1");
	cr_expect_str_eq(order, "count ask heard judge ");
	cr_expect(str_eq(buf_str(&one.player.body), STR("x\r\n")));
}

/* A stage may ask again. What the client has sent meanwhile waits. */
Test(stages, a_stage_that_waits_takes_no_input)
{
	client_send_from(&one, "alice@example.com");
	player_input(&one.player, STR("NOOP\r\n"));
	client_event(&one, "nothing");
	answer(&one, 350, "more");
	cr_expect_eq(one.player.step, SESSION_WAIT);
	client_event(&one, "nothing");
	answer(&one, 250, "heard");
	answer(&one, 250, "stored");
	expect_reply(&one, "250 2.0.0 Queued as *-1");
	expect_reply(&one, "250 *");
	cr_expect_str_eq(order, "count ask more heard judge ");
}

/* Two messages are in the same table at the same time: one is refused while the other one waits. */
Test(stages, a_message_is_refused_while_another_one_is_worked_on)
{
	refused_sender = STR("sales@example.com");
	client_send_from(&one, "alice@example.com");
	client_send_from(&two, "sales@example.com");
	answer(&two, 250, "heard");
	expect_reply(&two, "550 5.7.1 Not from you");
	cr_assert(
	    player_expect_line(&two.player, &two.player.refused, "\n",
	        STR("number=1 stage=data reason=header_from_not_allowed code=550 dsn=5.7.1 "
	            "user=alice@example.com sender=sales@example.com header_from=x@example.com")),
	    "%s", two.why);
	cr_expect_eq(two.player.committed, 0);
	cr_expect_eq(two.player.step, SESSION_NEXT);
	cr_expect_eq(one.player.step, SESSION_WAIT);
	client_event(&one, "nothing");
	answer(&one, 250, "heard");
	answer(&one, 250, "stored");
	expect_reply(&one, "250 2.0.0 Queued as *-1");
	cr_expect_eq(one.player.refused.n, 0);
}

Test(stages, an_answer_may_refuse_the_message)
{
	client_send_from(&one, "alice@example.com");
	answer(&one, 554, "bad");
	expect_reply(&one, "554 5.0.0 bad");
	cr_expect_str_eq(order, "count ask bad ");
	cr_expect_eq(one.player.committed, 0);
	client_send_from(&one, "alice@example.com");
	cr_expect_str_eq(order, "count ask bad count ask ");
}

/* The question is withdrawn before the session ends. */
Test(stages, a_disconnect_cancels_the_stage_that_waits)
{
	client_send_from(&one, "alice@example.com");
	client_send_from(&two, "alice@example.com");
	order[0] = '\0';
	session_free(&one.player.session);
	cr_expect_str_eq(order, "withdraw ");
	cr_assert(player_expect_line(&one.player, &one.player.requests, "\n", STR("took *")));
	cr_assert(player_expect_line(
	    &one.player, &one.player.requests, "\n", STR("return 1 of alice@example.com")));
	answer(&two, 250, "heard");
	cr_expect_str_eq(order, "withdraw heard judge ", "the other message is worked on");
}

Test(stages, the_deadline_of_a_wait)
{
	client_send_from(&one, "alice@example.com");
	cr_expect_eq(one.player.deadline_ms, one.player.now_ms + WAIT_MS);
	order[0] = '\0';
	client_event(&one, "time 6999");
	client_event(&one, "nothing");
	cr_expect_str_eq(order, "");
	client_event(&one, "time 1");
	expect_reply(&one, "421 4.4.2 Timed out");
	cr_expect_eq(one.player.step, SESSION_CLOSE);
	cr_expect_str_eq(order, "withdraw ");
	cr_expect_eq(one.player.committed, 0);
}

/* Each wait has a deadline of its own. */
Test(stages, the_deadline_begins_again_with_the_next_question)
{
	client_send_from(&one, "alice@example.com");
	client_event(&one, "time 5000");
	answer(&one, 350, "more");
	cr_expect_eq(one.player.deadline_ms, one.player.now_ms + WAIT_MS);
	answer(&one, 250, "heard");
	cr_expect_eq(one.player.deadline_ms, one.player.now_ms + STAGE_COMMIT_MS);
}

Test(stages, a_late_answer_finds_nobody)
{
	client_send_from(&one, "alice@example.com");
	client_event(&one, "time 7000");
	order[0] = '\0';
	cr_expect_eq(session_queue_answer(one.player.session, &(struct smtp_status){.code = 250}),
	    SESSION_WAIT);
	cr_expect_str_eq(order, "");
	cr_expect_eq(one.player.committed, 0);
}

/* A stopping server finishes the message in progress, then closes. */
Test(stages, a_stopping_server_waits_for_the_stage)
{
	client_send_from(&one, "alice@example.com");
	client_event(&one, "stop");
	cr_expect_eq(one.player.step, SESSION_WAIT);
	answer(&one, 250, "heard");
	answer(&one, 250, "stored");
	expect_reply(&one, "250 2.0.0 Queued as *-1");
	expect_reply(&one, "421 4.3.2 *");
	cr_expect_eq(one.player.step, SESSION_CLOSE);
}

/* The rows of the real table: a stage that can wait hears its answer within a bound; the commit is
 * the last. */
Test(stages, the_table_of_submission)
{
	const struct stage *s = stages_of_submission;

	for (; s->name; s++) {
		cr_expect_not_null(s->begin);
		cr_expect_eq(s->answered != NULL, s->wait_ms > 0);
	}
	cr_expect_str_eq(s[-1].name, "commit");
}
