/*
 * intake: COMMIT of a submission process that an attacker controls.  The queue checks the envelope
 * and the content itself, answers 554, and goes on with the next message.
 */
#include <criterion/criterion.h>

#include "base/clock.h"
#include "mail/envelope.h"
#include "rig.h"

#define S(text)                                                                                    \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

static struct rig rig;

static struct smtp_status
commit_envelope(const struct envelope *e, struct str header, struct str body)
{
	struct message_commit m = {.header = header, .body = body};
	struct buf envelope;
	struct smtp_status s;

	buf_init(&envelope, ENVELOPE_BYTES_MAX);
	cr_assert(envelope_encode(e, &envelope));
	m.envelope = buf_str(&envelope);
	s = rig_ask_commit(&rig, &m);
	buf_clear(&envelope);
	return s;
}

static struct envelope
envelope_of(struct envelope_recipient *to, struct str header, struct str body)
{
	static uint64_t number = 1;

	return (struct envelope){.id = rig_id(number++),
	    .arrival_ms = 1,
	    .user = STR("alice@example.com"),
	    .sender = STR("alice@example.com"),
	    .header_bytes = (uint32_t)header.n,
	    .body_bytes = body.n,
	    .recipients = to,
	    .recipient_count = 1};
}

/* COMMIT of one message with these parts. */
static struct smtp_status
commit(struct str recipient, struct str header, struct str body)
{
	struct envelope_recipient to = {.address = recipient};
	struct envelope e = envelope_of(&to, header, body);

	return commit_envelope(&e, header, body);
}

#define BOB STR("bob@example.net")
#define HEADER STR("From: alice@example.com\r\n")
#define BODY STR("Hello\r\n")

static void
expect_refusal(const struct smtp_status *s, const char *what, size_t number)
{
	cr_expect_eq(s->code, 554, "%s %zu: %u %s", what, number, s->code, s->text);
}

Test(intake, commands_in_a_recipient_are_refused, .timeout = 60)
{
	static const struct str recipients[] = {S("bob@example.net>\r\nRCPT BOB:<eve@example.org"),
	    S("bob@example.net\r\nDATA"), S("bob@example.net\n"), S("bob@example.net\r"),
	    S("bob@example.net\0"), S("bob@example.net> NOTIFY=NEVER"), S("bob"),
	    S("\"bob\r\n\"@example.net")};

	rig_begin(&rig, "");
	for (size_t i = 0; i < sizeof recipients / sizeof *recipients; i++) {
		struct smtp_status s = commit(recipients[i], HEADER, BODY);

		expect_refusal(&s, "recipient", i);
	}
	cr_expect_eq(commit(BOB, HEADER, BODY).code, 250);
	rig_end(&rig);
}

Test(intake, headers_that_may_not_be_sent_are_refused, .timeout = 60)
{
	static const struct str headers[] = {S(""), S("From: a@b"), S("From: a@b\n"),
	    S("From: a@b\r\n\r\n"), S("From: a@b\r\n\r\nbody\r\n"), S("From: a@b\rX: c\r\n"),
	    S("X: a\0b\r\n"),
	    S("X: a\x0b"
	      "b\r\n"),
	    S("X: a\x1c"
	      "From: ceo@b\r\n"),
	    S("X: \xc2\x85\r\n"), S("X : a\r\n"), S(" a\r\n"), S("no field\r\n"),
	    S(".\r\nMAIL FROM:<a@b>\r\n")};
	char line[1100] = "X:";

	rig_begin(&rig, "");
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
		struct smtp_status s = commit(BOB, headers[i], BODY);

		expect_refusal(&s, "header", i);
		cr_expect_null(strstr(s.text, "  "), "%s", s.text);
	}
	memset(line + 2, 'x', 997);
	memcpy(line + 999, "\r\n", 2);
	cr_expect_eq(commit(BOB, str_make(line, 1001), BODY).code, 554);
	cr_expect_eq(commit(BOB, HEADER, BODY).code, 250);
	rig_end(&rig);
}

Test(intake, bodies_that_may_not_be_sent_are_refused, .timeout = 60)
{
	static const struct str bodies[] = {S("a\n.\nMAIL FROM:<a@b>\r\n"), S("a\n.\r\n"),
	    S("a\r\n.\n"), S("a\r.\r"), S("a\r"), S("\n"), S("\r\r\n"), S("a\0b\r\n"), S("\r\n.\r"),
	    S("\0")};

	rig_begin(&rig, "");
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		struct smtp_status s = commit(BOB, HEADER, bodies[i]);

		expect_refusal(&s, "body", i);
	}
	/* what looks like the end of data is text for BDAT and for dot_stuff */
	cr_expect_eq(commit(BOB, HEADER, STR("a\r\n.\r\nMAIL FROM:<a@b>\r\n")).code, 250);
	cr_expect_eq(commit(BOB, HEADER, STR("no line end")).code, 250);
	cr_expect_eq(commit(BOB, HEADER, STR("")).code, 250);
	rig_end(&rig);
}

/* New ids start above the newest one in the spool: an id of the far future would leave none. */
Test(intake, times_far_ahead_are_refused, .timeout = 60)
{
	static const int64_t day = 86400000, times[] = {INT64_MAX, INT64_MIN, -1, 1ll << 42};
	struct envelope_recipient to = {.address = BOB};
	int64_t now = clock_ms();
	struct envelope e;

	rig_begin(&rig, "");
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		e = envelope_of(&to, HEADER, BODY);
		e.arrival_ms = times[i];
		cr_expect_eq(commit_envelope(&e, HEADER, BODY).code, 451, "arrival %zu", i);
		e.arrival_ms = now;
		e.hold_until_ms = times[i];
		cr_expect_eq(commit_envelope(&e, HEADER, BODY).code, 554, "held %zu", i);
		e.hold_until_ms = 0;
		e.deliver_by_ms = times[i];
		cr_expect_eq(commit_envelope(&e, HEADER, BODY).code, 554, "by %zu", i);
	}
	e = envelope_of(&to, HEADER, BODY);
	e.id.session = UINT64_MAX;
	cr_expect_eq(commit_envelope(&e, HEADER, BODY).code, 451);
	e.id.session = (uint64_t)(now + 2 * day) << 18;
	cr_expect_eq(commit_envelope(&e, HEADER, BODY).code, 451);
	/* the clock was set back by less than a day */
	e.id.session = (uint64_t)(now + day / 2) << 18;
	cr_expect_eq(commit_envelope(&e, HEADER, BODY).code, 250);
	rig_kill(&rig);
	rig_start(&rig);
	cr_expect_eq(rig.newest_ms, now + day / 2);
	rig_submission(&rig);
	/* or while the daemon was stopped: ids continue above the newest one */
	e.id.session = (uint64_t)(now + day) << 18;
	cr_expect_eq(commit_envelope(&e, HEADER, BODY).code, 250);
	rig_end(&rig);
}
