/* notices: main requests mail to the postmaster; the answer comes when it is durable; the queue is
 * killed at every point of that, and the request repeated. */
#include "base/clock.h"
#include "mail/header.h"
#include "queue/reports/dsn.h"
#include "queue/reports/notice_mail.h"
#include "rig.h"
#include "support/ask.h"

/* ---- the mail ---- */

static struct notice_mail mail;

static const char *
compose(struct str text, struct str postmaster)
{
	static char all[NOTICE_BODY_MAX + NOTICE_HEADER_MAX];
	struct notice_mail_content n = {.id = rig_id(1).session,
	    .subject = STR("Something\r\nX: y"),
	    .text = text,
	    .hostname = STR("gw.test"),
	    .postmaster = postmaster,
	    .now_ms = INT64_C(1795000000000)};

	cr_assert(notice_mail_compose(&n, &mail));
	snprintf(all, sizeof all, "%.*s\r\n%.*s", STR_ARG(buf_str(&mail.header)),
	    STR_ARG(buf_str(&mail.body)));
	return all;
}

Test(notice_mail, it_is_a_mail_that_every_host_takes)
{
	const char *all =
	    compose(STR("What happened:\n\n here\n\nDo this.\n"), STR("it@example.com"));
	const struct envelope *e = &mail.envelope;
	struct header_fault fault;

	cr_expect(header_is_sendable(buf_str(&mail.header), &fault));
	cr_expect(
	    strstr(all, "\r\nFrom: \"Mail gateway gw.test\"\r\n\t<MAILER-DAEMON@gw.test>\r\n"));
	cr_expect(strstr(all, "\r\nTo: <it@example.com>\r\n"));
	cr_expect(strstr(all, "\r\nSubject: gw.test: Something X: y\r\n"), "%s", all);
	cr_expect(strstr(all, "\r\nAuto-Submitted: auto-generated\r\n"));
	cr_expect(
	    strstr(all, "\r\n\r\nWhat happened:\r\n\r\n    here\r\n\r\nDo this.\r\n"), "%s", all);
	cr_expect_eq(e->kind, ENVELOPE_REPORT);
	cr_expect(e->user.n == 0 && e->sender.n == 0, "nobody's, and not to be answered");
	cr_expect(e->body == BODY_7BIT && !e->smtputf8);
	cr_expect_eq(e->recipient_count, 1);
	cr_expect(str_eq(e->recipients[0].address, STR("it@example.com")));
	cr_expect(e->header_bytes == mail.header.n && e->body_bytes == mail.body.n);
	notice_mail_clear(&mail);
}

Test(notice_mail, text_from_outside_ends_no_line)
{
	static char wide[5000];
	const char *all;
	struct buf text;

	memset(wide, 'x', sizeof wide - 1);
	buf_init(&text, 65536);
	buf_addf(&text, " a\rb\x1b\x7f\x01 \xff\xc3\xbc %s\n", wide);
	buf_add(&text, " nul\0here\n", 10);
	all = compose(buf_str(&text), STR("it@example.com"));
	cr_expect(strstr(all, "\r\n    a b??? ?\\x{FC}\r\n    xxx"), "%s", all);
	cr_expect(strstr(all, "\r\n    nul?here\r\n"));
	for (struct str rest = str_of(all), line; str_split(&rest, '\n', &line);) {
		cr_expect_leq(line.n, 999);
		if (line.n)
			cr_expect(line.p[line.n - 1] == '\r' && str_find(line, '\r') == line.n - 1);
	}
	buf_clear(&text);
	notice_mail_clear(&mail);
}

Test(notice_mail, a_postmaster_beyond_ascii)
{
	const char *all = compose(STR(" k\xc3\xb6nnen\n"), STR("b\xc3\xbc@example.com"));

	cr_expect(mail.envelope.smtputf8 && mail.envelope.body == BODY_8BITMIME);
	cr_expect(strstr(all, "charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"));
	cr_expect(strstr(all, "    k\xc3\xb6nnen\r\n"));
	notice_mail_clear(&mail);
}

Test(notice_mail, a_text_that_is_too_long)
{
	struct notice_mail_content n = {.hostname = STR("gw.test"), .postmaster = STR("a@b")};
	struct buf text;

	buf_init(&text, 2 * NOTICE_BODY_MAX);
	while (text.n < NOTICE_BODY_MAX)
		buf_addz(&text, "words\n");
	n.text = buf_str(&text);
	cr_expect_not(notice_mail_compose(&n, &mail));
	notice_mail_clear(&mail);
	buf_clear(&text);
}

/* Its number is not one of a report, and no report about it is sent. */
Test(notice_mail, numbers_of_their_own)
{
	struct dsn_conditions w = {.id = notice_mail_id(7), .kind = ENVELOPE_REPORT};
	struct msgid last = {7, DSN_NOTICE_NUMBER - 1};

	cr_expect(dsn_is_notice(w.id));
	cr_expect_not(dsn_is_about_report(w.id));
	cr_expect(dsn_is_about_report(last) && !dsn_is_notice(last));
	for (enum dsn_action a = DSN_FAILED; a < DSN_ACTIONS; a++)
		cr_expect_not(dsn_is_wanted(&w, a));
}

/* ---- the role ---- */

static void
got_answer(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct rig *r = arg;

	r->end = end;
	r->answer = p ? p->message->status.status : (struct smtp_status){0};
	r->answers++;
}

static void
got_answer_code(enum request_end end, const struct channel_packet *p, void *arg)
{
	unsigned *code = arg;

	*code = end == REQUEST_ANSWERED ? p->message->status.status.code : 1;
}

static void
ask_soon(struct rig *r, uint64_t id, const char *text)
{
	struct message_notice m = {.notice = id, .kind = STR("spool"), .subject = STR("Subject"),
	    .text = str_of(text)};

	(void)ask_pooled(r->main, MESSAGE_NOTICE, &m, got_answer, r);
}

static unsigned
ask_for(struct rig *r, uint64_t id, const char *text)
{
	unsigned before = r->answers;

	ask_soon(r, id, text);
	rig_until(r, &r->answers, before + 1);
	return r->answer.code;
}

static const uint64_t one = UINT64_C(1795000000000) << 18;

Test(notices, stored_listed_delivered, .timeout = 60)
{
	static struct rig r;
	int log = rig_keep_log();

	rig_begin(&r, rig_slow);
	cr_assert_eq(ask_for(&r, one, "text\n"), 250);
	cr_assert(
	    rig_has_line(log, "notice id=", "-4001000000 kind=spool to=<postmaster@example.com>"));
	rig_admin(&r, "queue.list", rig_nothing);
	cr_assert_eq(r.row_count, 1);
	cr_assert(str_eq(rig_row(&r, 0, "user"), STR("")));
	cr_assert(str_eq(rig_row(&r, 0, "from"), STR("<>")));
	rig_relay(&r, true);
	cr_assert_str_eq(rig_attempt(&r, 0)->to, "postmaster@example.com");
	cr_assert_eq(r.attempts[0].kind, ENVELOPE_REPORT);
	cr_assert_str_eq(r.attempts[0].sender, "");
	cr_assert(strstr(r.attempts[0].body, "text\r\n"));
	rig_results(&r, &r.attempts[0], 250, "none");
	rig_until(&r, &r.stored, 1);
	rig_check_empty(&r);
	rig_end(&r);
}

Test(notices, no_report_about_a_failed_notice, .timeout = 60)
{
	static struct rig r;
	int log = rig_keep_log();

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	cr_assert_eq(ask_for(&r, one, "text\n"), 250);
	rig_results(&r, rig_attempt(&r, 0), 550, "mailbox");
	rig_until(&r, &r.stored, 1);
	rig_wait(&r, 200);
	cr_assert_eq(r.attempt_count, 1);
	cr_assert(rig_has_line(log, "notice id=", "status=dropped"));
	rig_check_empty(&r);
	rig_end(&r);
}

/* Requested again while it is stored, after it, and when it was delivered: one mail.  Main gets 250
 * for its latest request. */
Test(notices, requested_twice_stored_once, .timeout = 60)
{
	struct message_notice m = {.notice = one, .kind = STR("spool"), .subject = STR("Subject"),
	    .text = STR("marked\n")};
	unsigned former = 0, latter = 0;
	static struct rig r;

	rig_begin(&r, rig_slow);
	strcpy(r.disk->unwritten, "marked");
	(void)ask_pooled(r.main, MESSAGE_NOTICE, &m, got_answer_code, &former);
	while (r.disk->unwritten_blocked == 0)
		rig_wait(&r, 10);
	(void)ask_pooled(r.main, MESSAGE_NOTICE, &m, got_answer_code, &latter);
	rig_until(&r, &former, 1);
	cr_assert_eq(former, 451, "not 250 before it is durable");
	cr_assert_eq(latter, 0, "it waits");
	memset(r.disk->unwritten, 0, sizeof r.disk->unwritten);
	rig_until(&r, &latter, 1);
	cr_assert_eq(latter, 250);
	cr_assert_eq(ask_for(&r, one, "marked\n"), 250, "it is there already");
	rig_admin(&r, "queue.list", rig_nothing);
	cr_assert_eq(r.row_count, 1);
	rig_relay(&r, true);
	rig_results(&r, rig_attempt(&r, 0), 250, "none");
	rig_until(&r, &r.stored, 1);
	cr_assert_eq(ask_for(&r, one, "marked\n"), 250, "it was there");
	rig_check_empty(&r);
	rig_end(&r);
}

/* A notice that was acknowledged exists after a crash; one that was not is requested again, and
 * exists once. */
Test(notices, killed_before_and_after_it_is_durable, .timeout = 120)
{
	static struct rig r;

	rig_begin(&r, rig_slow);
	cr_assert_eq(ask_for(&r, one, "first\n"), 250);
	rig_kill(&r);
	rig_start(&r);
	rig_admin(&r, "queue.list", rig_nothing);
	cr_assert_eq(r.row_count, 1, "after its 250");
	cr_assert_eq(ask_for(&r, one, "first\n"), 250);
	strcpy(r.disk->unwritten, "second");
	ask_soon(&r, one + 1, "second\n");
	while (r.disk->unwritten_blocked == 0)
		rig_wait(&r, 10);
	rig_kill(&r);
	memset(r.disk->unwritten, 0, sizeof r.disk->unwritten);
	rig_start(&r);
	rig_admin(&r, "queue.list", rig_nothing);
	cr_assert_eq(r.row_count, 1, "the second one was not acknowledged");
	cr_assert_eq(ask_for(&r, one + 1, "second\n"), 250);
	rig_kill(&r);
	rig_start(&r);
	rig_relay(&r, true);
	rig_results(&r, rig_attempt(&r, 0), 250, "none");
	rig_results(&r, rig_attempt(&r, 1), 250, "none");
	rig_until(&r, &r.stored, 2);
	cr_assert_neq(r.attempts[0].id.session, r.attempts[1].id.session);
	rig_kill(&r);
	rig_start(&r);
	rig_check_empty(&r);
	rig_end(&r);
}

/* A disk that cannot be written: an error, never 250; when it can be written again the notice is
 * stored. */
Test(notices, a_disk_that_cannot_be_written, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_slow);
	r.disk->is_read_only = true;
	cr_assert_eq(ask_for(&r, one, "text\n"), 451);
	r.disk->is_read_only = false;
	for (unsigned n = 0; n < 100 && ask_for(&r, one, "text\n") != 250; n++)
		rig_wait(&r, 100);
	cr_assert_eq(r.answer.code, 250);
	rig_admin(&r, "queue.list", rig_nothing);
	cr_assert_eq(r.row_count, 1);
	rig_end(&r);
}

Test(notices, a_text_that_is_too_long_is_refused_for_good, .timeout = 60)
{
	static char text[NOTICE_BODY_MAX + 1];
	static struct rig r;

	memset(text, 'x', sizeof text - 1);
	rig_begin(&r, rig_slow);
	cr_assert_eq(ask_for(&r, one, text), 554);
	cr_assert_eq(ask_for(&r, one, "text\n"), 250);
	rig_end(&r);
}

/* Any other message is refused, with an answer. */
Test(notices, unexpected_messages_of_main_are_refused, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_slow);
	(void)ask_pooled(
	    r.main, MESSAGE_LEASE_ASK, &(struct message_lease_ask){STR("a"), 1}, got_answer, &r);
	rig_until(&r, &r.answers, 1);
	cr_assert_eq(r.end, REQUEST_ERROR);
	cr_assert_eq(ask_for(&r, one, "text\n"), 250);
	rig_end(&r);
}
