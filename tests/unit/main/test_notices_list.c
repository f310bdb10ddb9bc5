/* notices_list: one notice in a period for each kind and object, a limited number in all, and no
 * text from outside has any influence on it. */
#include "main/notices_list.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct notices_list l;
static int64_t now_ms;

static void
list_set_up(void)
{
	notices_list_init(&l);
	now_ms = INT64_C(1795000000000);
}

static void
list_tear_down(void)
{
	notices_list_clear(&l);
}

TestSuite(notices_list, .init = list_set_up, .fini = list_tear_down);

static struct notices_pending *
add(enum notice_kind kind, const char *object, const char *line)
{
	return notices_list_add(&l, kind, str_of(object), str_of(line), now_ms);
}

/* Sends the due notices, and returns their number. */
static unsigned
send_due_notices(void)
{
	struct notices_pending *n;
	unsigned count = 0;

	for (; (n = notices_list_next(&l, now_ms)); count++)
		notices_list_sent(&l, n, now_ms);
	return count;
}

static const char *
text_of(struct notices_pending *n)
{
	static char text[65536];
	struct buf out;

	buf_init(&out, sizeof text - 1);
	notices_list_compose(&l, n, &out);
	cr_assert(buf_ok(&out));
	memcpy(text, out.p, out.n);
	text[out.n] = '\0';
	buf_clear(&out);
	return text;
}

static unsigned
occurs(const char *words, const char *text)
{
	unsigned count = 0;

	for (; (text = strstr(text, words)); text++)
		count++;
	return count;
}

Test(notices_list, every_kind_has_its_text)
{
	for (int kind = 0; kind < NOTICE_KINDS; kind++) {
		const struct notices_kind_row *row = &notices_kinds[kind];

		cr_assert(row->name && row->subject && row->what && row->advice, "%d", kind);
		cr_assert_eq(strcspn(row->name, " \n"), strlen(row->name));
		cr_assert(strstr(row->advice, "\n sallyport "), "a command: %s", row->name);
	}
}

Test(notices_list, events_in_a_short_time_are_one_notice)
{
	struct notices_pending *n = add(NOTICE_CERTIFICATE, "/etc/a.crt", "expires soon");

	cr_assert(n);
	cr_assert_eq(add(NOTICE_CERTIFICATE, "/etc/a.crt", "has no chain"), n);
	cr_assert_eq(add(NOTICE_CERTIFICATE, "/etc/a.crt", "expires soon"), n);
	cr_assert_neq(add(NOTICE_CERTIFICATE, "/etc/b.crt", "expires soon"), n);
	cr_assert_eq(occurs("expires soon", text_of(n)), 1, "the same line once: %s", text_of(n));
	cr_assert_eq(occurs("has no chain", text_of(n)), 1);
	cr_assert_null(notices_list_next(&l, now_ms), "later events may follow");
	now_ms += NOTICES_GATHER_MS;
	cr_assert_eq(notices_list_next(&l, now_ms), n, "the oldest first");
	cr_assert_eq(send_due_notices(), 2);
}

Test(notices_list, each_object_has_one_notice_per_day)
{
	int64_t first_ms = now_ms;

	for (; now_ms < first_ms + NOTICES_DAY_MS - NOTICES_SLACK_MS;
	     now_ms += NOTICES_HOUR_MS / 2) {
		struct notices_pending *n = add(NOTICE_PROCESS, "queue", "queue 0 was ended");

		cr_assert_eq(n != NULL, now_ms == first_ms);
		now_ms += NOTICES_GATHER_MS;
		cr_assert_eq(send_due_notices(), n != NULL);
	}
	cr_assert(add(NOTICE_PROCESS, "relay", "another object"));
	cr_assert(add(NOTICE_SPOOL, "queue", "another kind"));
	now_ms = first_ms + NOTICES_DAY_MS;
	cr_assert(add(NOTICE_PROCESS, "queue", "queue 0 was ended"),
	    "a daily check is reported every day");
}

Test(notices_list, a_set_line_replaces_the_others)
{
	struct notices_pending *n =
	    notices_list_set(&l, NOTICE_TROUBLE, STR("queue 0"), STR("no room"), now_ms);

	cr_assert_eq(
	    notices_list_set(&l, NOTICE_TROUBLE, STR("queue 0"), STR("until now"), now_ms), n);
	cr_assert_eq(occurs("no room", text_of(n)), 0);
	cr_assert_eq(occurs("until now", text_of(n)), 1);
}

/* Nothing of it was stored: it takes the later events, as far as there is room. */
Test(notices_list, a_refused_notice_takes_later_events)
{
	struct notices_pending *n = add(NOTICE_SPOOL, "/var/spool", "moved to /tmp"), *newer;
	char line[32];

	add(NOTICE_SPOOL, "/var/other", "moved");
	n->request_count = 2;
	newer = add(NOTICE_SPOOL, "/var/spool", "moved back");
	cr_assert_neq(newer, n);
	for (int i = 0; i < NOTICES_LINES_MAX; i++) {
		snprintf(line, sizeof line, "line %d.", i);
		cr_assert_eq(add(NOTICE_SPOOL, "/var/spool", line), newer);
	}
	notices_list_refused(&l, n);
	cr_assert_eq(l.count, 3, "the other ask may have been stored");
	notices_list_refused(&l, n);
	cr_assert_eq(l.count, 2);
	cr_assert_eq(occurs("moved to /tmp", text_of(n)), 1, "%s", text_of(n));
	cr_assert_eq(occurs("moved back", text_of(n)), 1);
	cr_assert_eq(occurs("line 47.", text_of(n)), 1);
	cr_assert_eq(occurs("line 48.", text_of(n)), 0);
	cr_assert_eq(occurs("And 2 more of this kind, see the log.", text_of(n)), 1);
	cr_assert_eq(add(NOTICE_SPOOL, "/var/spool", "gone"), n);
	n->request_count = 1;
	notices_list_refused(&l, n);
	cr_assert_eq(l.count, 2, "nothing came");
}

Test(notices_list, a_collected_kind_has_one_notice_per_hour)
{
	struct notices_pending *n = NULL;
	int64_t sent_ms;
	char name[32];

	for (unsigned i = 0; i < 60; i++) {
		snprintf(name, sizeof name, "192.0.2.%u", i);
		n = add(NOTICE_ACCESS, name, name);
		cr_assert(n && l.count == 1);
	}
	cr_assert_null(add(NOTICE_ACCESS, "192.0.2.1", "once more"), "once a day");
	cr_assert_eq(occurs("192.0.2.", text_of(n)), NOTICES_LINES_MAX);
	cr_assert_eq(occurs("And 10 more of this kind, see the log.", text_of(n)), 1);
	cr_assert_eq(send_due_notices(), 0);
	now_ms += NOTICES_COLLECT_MS;
	sent_ms = now_ms;
	cr_assert_eq(send_due_notices(), 1);
	now_ms += NOTICES_COLLECT_MS;
	cr_assert(add(NOTICE_ACCESS, "198.51.100.1", "another"));
	now_ms = sent_ms + NOTICES_HOUR_MS - 1;
	cr_assert_eq(send_due_notices(), 0, "not in this hour");
	now_ms++;
	cr_assert_eq(send_due_notices(), 1);
}

Test(notices_list, the_number_of_pending_notices_is_limited)
{
	struct notices_pending *first = NULL;
	char name[32];

	for (unsigned i = 0; i < NOTICES_PENDING_MAX + 7; i++) {
		struct notices_pending *n;

		snprintf(name, sizeof name, "object %u", i);
		n = add(NOTICE_CERTIFICATE, name, "text");
		cr_assert_eq(n != NULL, i < NOTICES_PENDING_MAX);
		first = first ? first : n;
	}
	cr_assert_eq(l.count, NOTICES_PENDING_MAX);
	cr_assert_eq(occurs("7 more events of all kinds had no place", text_of(first)), 1);
	(void)add(NOTICE_CERTIFICATE, "one more", "text");
	notices_list_sent(&l, first, now_ms);
	cr_assert_eq(l.omitted_count, 1, "a later event is in the next notice");
}

Test(notices_list, the_number_per_day_is_limited)
{
	int64_t first_ms = now_ms;
	char name[32];

	for (unsigned i = 0; i < NOTICES_PENDING_MAX; i++) {
		snprintf(name, sizeof name, "object %u", i);
		cr_assert(add(NOTICE_CERTIFICATE, name, "text"));
	}
	now_ms += NOTICES_GATHER_MS;
	cr_assert_eq(send_due_notices(), NOTICES_A_DAY);
	cr_assert_eq(l.count, NOTICES_PENDING_MAX - NOTICES_A_DAY, "the others wait");
	now_ms = first_ms + NOTICES_DAY_MS;
	cr_assert_eq(send_due_notices(), 0);
	now_ms += NOTICES_GATHER_MS;
	cr_assert_eq(send_due_notices(), NOTICES_A_DAY);
}

Test(notices_list, the_last_one_of_a_day_says_so)
{
	char name[32];

	for (unsigned i = 0; i < NOTICES_A_DAY; i++) {
		snprintf(name, sizeof name, "object %u", i);
		cr_assert(add(NOTICE_CERTIFICATE, name, "text"));
	}
	now_ms += NOTICES_GATHER_MS;
	for (unsigned i = 1; i <= NOTICES_A_DAY; i++) {
		struct notices_pending *n = notices_list_next(&l, now_ms);

		cr_assert_eq(
		    occurs("This is the last one of 30 notices", text_of(n)), i == NOTICES_A_DAY);
		notices_list_sent(&l, n, now_ms);
	}
}

/* Notices that clients can cause leave room for the others. */
Test(notices_list, clients_cannot_use_up_the_daily_number)
{
	unsigned of_users = 0;
	char name[32];

	for (unsigned hour = 0; hour < 23; hour++, now_ms += NOTICES_HOUR_MS) {
		snprintf(name, sizeof name, "login %u", hour);
		(void)add(NOTICE_ACCESS, name, name);
		(void)add(NOTICE_LIMIT, name, name);
		now_ms += NOTICES_COLLECT_MS;
		of_users += send_due_notices();
	}
	cr_assert_eq(of_users, NOTICES_A_DAY_OF_USERS);
	cr_assert(add(NOTICE_SPOOL, "/var/spool", "moved"));
	now_ms += NOTICES_GATHER_MS;
	cr_assert_eq(send_due_notices(), 1);
}

Test(notices_list, text_from_outside_becomes_one_printable_line)
{
	struct notices_pending *n =
	    add(NOTICE_RELOAD, "a\r\nb\x1b[2J", "x\r\n\r\n.\r\nMAIL\x01 y\xff z \xc3\xbc");

	cr_assert_str_eq(n->object, "a  b?[2J");
	cr_assert(strstr(text_of(n), "x    .  MAIL? y? z \xc3\xbc\n"), "%s", text_of(n));
	cr_assert_null(strchr(text_of(n), '\r'));
}

Test(notices_list, long_texts_are_cut)
{
	static char wide[8192];
	struct notices_pending *n;

	for (size_t i = 0; i + 2 < sizeof wide; i += 2)
		memcpy(wide + i, "\xc3\xbc", 2);
	n = add(NOTICE_RELOAD, wide, wide);
	cr_assert_eq(strlen(n->object), NOTICES_OBJECT_BYTES - 2, "no half character");
	cr_assert(str_is_utf8(buf_str(&n->lines)));
	cr_assert_lt(n->lines.n, NOTICES_LINE_BYTES + 64);
	for (int i = 0; i < 200; i++) {
		wide[0] = (char)('a' + i / 26);
		wide[1] = (char)('a' + i % 26);
		(void)add(NOTICE_RELOAD, "x", wide);
	}
	cr_assert_leq(n->lines.n, NOTICES_LINES_BYTES);
}

/* ---- the file of sent notices ---- */

static struct str
written(struct buf *out)
{
	buf_init(out, NOTICES_TEXT_MAX);
	notices_list_write(&l, out);
	cr_assert(buf_ok(out));
	return buf_str(out);
}

Test(notices_list, sent_notices_are_known_after_a_restart)
{
	static char longest[NOTICES_OBJECT_BYTES + 9];
	struct buf file;

	memset(longest, 'o', sizeof longest - 1);
	for (unsigned i = 0; i < NOTICES_A_DAY - 1; i++) {
		longest[0] = (char)('A' + i);
		(void)add(NOTICE_CERTIFICATE, longest, "text");
	}
	(void)add(NOTICE_SPOOL, "/var/spool with blanks\n7 certificate x", "text");
	now_ms += NOTICES_GATHER_MS;
	cr_assert_eq(send_due_notices(), NOTICES_A_DAY);
	(void)written(&file);
	notices_list_clear(&l);
	notices_list_init(&l);
	cr_assert(notices_list_read(&l, buf_str(&file)));
	cr_assert_eq(l.sent_count, NOTICES_A_DAY);
	cr_assert_null(add(NOTICE_CERTIFICATE, longest, "text"));
	cr_assert_null(add(NOTICE_SPOOL, "/var/spool with blanks\n7 certificate x", "text"));
	cr_assert(add(NOTICE_SPOOL, "/var/spool", "text"));
	now_ms += NOTICES_GATHER_MS;
	cr_assert_eq(send_due_notices(), 0, "the number per day is known too");
	buf_clear(&file);
}

Test(notices_list, a_damaged_file_is_not_used)
{
	static const char *const damaged[] = {"x", "1795000000000 certificate", "0 spool x\n",
	    "1795000000000 nonsense x\n", "-1 spool x\n", "99999999999999999999 spool x\n",
	    "9999999999999999999 spool x\n", "1795000000000 spool x\n\n1795000000000 spool y\n",
	    "1795000000000  spool x\n"};
	struct buf many;

	for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
		cr_assert_not(notices_list_read(&l, str_of(damaged[i])), "%s", damaged[i]);
		cr_assert_eq(l.sent_count, 0);
	}
	buf_init(&many, 65536);
	for (unsigned i = 0; i <= NOTICES_A_DAY; i++)
		buf_addf(&many, "1795000000000 spool %u\n", i);
	cr_assert_not(notices_list_read(&l, buf_str(&many)));
	cr_assert_eq(l.sent_count, 0);
	buf_clear(&many);
	cr_assert(notices_list_read(&l, STR("")), "nothing was sent yet");
	cr_assert(notices_list_read(&l, STR("1795000000000 spool x\n")));
	cr_assert_eq(l.sent_count, 1);
}

Test(notices_list, a_clock_set_back_delays_a_notice_by_a_day_at_most)
{
	cr_assert(notices_list_read(&l, STR("3795000000000 spool x\n")));
	cr_assert_null(add(NOTICE_SPOOL, "x", "text"));
	now_ms += NOTICES_DAY_MS;
	cr_assert(add(NOTICE_SPOOL, "x", "text"));
	now_ms -= 3 * NOTICES_DAY_MS;
	cr_assert_null(notices_list_next(&l, now_ms));
	now_ms += NOTICES_HOUR_MS;
	cr_assert(notices_list_next(&l, now_ms), "what is pending waits an hour at most");
}

/* ---- what is over ---- */

/* A notice that was not requested says so; without one, nothing is reported. */
Test(notices_list, what_is_over_is_said_where_it_was_reported)
{
	struct notices_pending *n = add(NOTICE_RELOAD, "/etc/s.cfg", "line 3 is wrong");

	notices_list_over(&l, NOTICE_RELOAD, STR("/etc/other.cfg"), STR("over: other"), now_ms);
	notices_list_over(&l, NOTICE_RELOAD, STR("/etc/s.cfg"), STR("over: a reload"), now_ms);
	cr_expect(strstr(text_of(n), "over: a reload"), "%s", text_of(n));
	cr_expect_not(strstr(text_of(n), "other"), "%s", text_of(n));
	n->id = 1;
	n->request_count = 1;
	notices_list_over(&l, NOTICE_RELOAD, STR("/etc/s.cfg"), STR("over: later"), now_ms);
	cr_expect_not(strstr(text_of(n), "later"));
	cr_expect_eq(l.count, 1);
}

/* A login is suspended for the second time on the same day, and a third time after the mail. */
Test(notices_list, an_object_of_a_collected_kind_is_reported_again_after_its_end)
{
	static const char suspended[] = "alice\nsuspended", held[] = "alice\nqueued mail";
	struct notices_pending *n = add(NOTICE_ACCESS, suspended, "login alice was suspended");

	cr_assert(n);
	cr_expect(add(NOTICE_ACCESS, held, "2 messages were held"));
	cr_expect_null(add(NOTICE_ACCESS, suspended, "login alice was suspended"));
	notices_list_over(&l, NOTICE_ACCESS, STR("bob"), STR("over: bob"), now_ms);
	notices_list_over(&l, NOTICE_ACCESS, STR("alice"), STR("over: alice"), now_ms);
	cr_expect(strstr(text_of(n), "over: alice"), "%s", text_of(n));
	cr_expect_not(strstr(text_of(n), "bob"), "%s", text_of(n));
	cr_expect_eq(add(NOTICE_ACCESS, suspended, "login alice was suspended"), n);
	cr_expect_eq(add(NOTICE_ACCESS, held, "3 messages were held"), n, "what belongs to it too");
	cr_expect_eq(n->line_count, 5, "%u", n->line_count);
	now_ms += NOTICES_COLLECT_MS;
	cr_expect_eq(send_due_notices(), 1);
	notices_list_over(&l, NOTICE_ACCESS, STR("alice"), STR("over: alice"), now_ms);
	cr_expect_eq(l.count, 0, "that it is over is no event");
	n = add(NOTICE_ACCESS, suspended, "login alice was suspended");
	cr_assert(n);
	/* what was over before this notice began has no place in it */
	notices_list_over(&l, NOTICE_ACCESS, STR("carol"), STR("over: carol"), now_ms);
	cr_expect_eq(n->line_count, 1);
}
