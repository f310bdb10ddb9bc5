/* Replies of other hosts: valid ones in every division, and hostile ones, which take bounded
 * memory. */
#include <criterion/criterion.h>

#include "mail/smtp_reply.h"

/* Passes `in` in parts of `step` octets. */
static enum smtp_reply_progress
take_all(struct smtp_reply *r, struct str in, size_t step, size_t *used_out)
{
	enum smtp_reply_progress p = SMTP_REPLY_MORE;

	*used_out = 0;
	for (size_t at = 0, used; at < in.n && p == SMTP_REPLY_MORE; at += used) {
		p = smtp_reply_take(r, str_upto(str_from(in, at), step), &used);
		*used_out += used;
	}
	return p;
}

struct reply_case {
	const char *in;
	enum smtp_reply_progress progress;
	unsigned code;
	const char *text;
	size_t left;
};

static const struct reply_case reply_cases[] = {
    {"250 Ok\r\n", SMTP_REPLY_DONE, 250, "Ok", 0},
    {"250 Ok\r\n354 go\r\n", SMTP_REPLY_DONE, 250, "Ok", 8},
    {"250\r\n", SMTP_REPLY_DONE, 250, "", 0},
    {"250 \r\n", SMTP_REPLY_DONE, 250, "", 0},
    {"550-a\r\n550-b\r\n550 c\r\n", SMTP_REPLY_DONE, 550, "a b c", 0},
    {"550-\r\n550-\r\n550\r\n", SMTP_REPLY_DONE, 550, "", 0},
    {"550 no\n", SMTP_REPLY_DONE, 550, "no", 0},
    {"200 a\r\n", SMTP_REPLY_DONE, 200, "a", 0},
    {"599 a\r\n", SMTP_REPLY_DONE, 599, "a", 0},
    {"600 a\r\n", SMTP_REPLY_BAD, 0, NULL, 0},
    {"571 no\r\n", SMTP_REPLY_DONE, 571, "no", 0},
    {"550-5.1.1 no such\r\n550 5.1.1 user\r\n", SMTP_REPLY_DONE, 550, "no such user", 0},
    {"550-5.1.1 no such\r\n550 5.1.10 user\r\n", SMTP_REPLY_DONE, 550, "no such 5.1.10 user", 0},
    {"550-5.1.1\r\n550 5.1.1\r\n", SMTP_REPLY_DONE, 550, "", 0},
    {"550 a\rSubject: x\r\n", SMTP_REPLY_DONE, 550, "a?Subject: x", 0},
    {"550 \x1b[2J\xff\r\n", SMTP_REPLY_DONE, 550, "?[2J?", 0},
    {"250-Ok", SMTP_REPLY_MORE, 0, NULL, 0},
    {"250-Ok\r\n", SMTP_REPLY_MORE, 250, NULL, 0},
    {"2x0 Ok\r\n", SMTP_REPLY_BAD, 0, NULL, 0},
    {"999 Ok\r\n", SMTP_REPLY_BAD, 0, NULL, 0},
    {"199 Ok\r\n", SMTP_REPLY_BAD, 0, NULL, 0},
    {"25 Ok\r\n", SMTP_REPLY_BAD, 0, NULL, 0},
    {"2500 Ok\r\n", SMTP_REPLY_BAD, 0, NULL, 0},
    {"250_Ok\r\n", SMTP_REPLY_BAD, 0, NULL, 0},
    {" 250 Ok\r\n", SMTP_REPLY_BAD, 0, NULL, 0},
    {"+OK\r\n", SMTP_REPLY_BAD, 0, NULL, 0},
    {"\r\n", SMTP_REPLY_BAD, 0, NULL, 0},
    {"\n", SMTP_REPLY_BAD, 0, NULL, 0},
    {"HTTP/1.1 200 OK\r\n", SMTP_REPLY_BAD, 0, NULL, 0},
    {"250-a\r\n251 b\r\n", SMTP_REPLY_BAD, 0, NULL, 0},
    {"250-a\r\n250-b\r\njunk\r\n", SMTP_REPLY_BAD, 0, NULL, 0},
};

Test(reply, valid_and_invalid_replies_at_every_division)
{
	for (size_t i = 0; i < sizeof reply_cases / sizeof *reply_cases; i++) {
		const struct reply_case *c = &reply_cases[i];

		for (size_t step = 1; step <= strlen(c->in); step++) {
			struct smtp_reply r;
			size_t used;

			smtp_reply_init(&r, NULL);
			cr_expect_eq(take_all(&r, str_of(c->in), step, &used), c->progress, "%s",
			    c->in);
			if (c->progress == SMTP_REPLY_DONE) {
				cr_expect_eq(r.code, c->code);
				cr_expect_str_eq(smtp_reply_status(&r).text, c->text, "%s", c->in);
				cr_expect_eq(used, strlen(c->in) - c->left);
			}
			smtp_reply_clear(&r);
		}
	}
}

Test(reply, any_byte_is_allowed_in_a_text)
{
	struct smtp_reply r;
	size_t used;

	smtp_reply_init(&r, NULL);
	cr_expect_eq(smtp_reply_take(&r, STR("550 a\0b\x1b\xff\r\n"), &used), SMTP_REPLY_DONE);
	cr_expect_str_eq(smtp_reply_status(&r).text, "a?b??");
	smtp_reply_clear(&r);
	smtp_reply_init(&r, NULL);
	cr_expect_eq(smtp_reply_take(&r,
	                 STR("2\0"
	                     "50 Ok\r\n"),
	                 &used),
	    SMTP_REPLY_BAD, "not in a code");
	cr_expect_eq(smtp_reply_take(&r, STR("250 Ok\r\n"), &used), SMTP_REPLY_BAD, "bad for good");
	cr_expect_eq(used, 0);
	smtp_reply_clear(&r);
}

/* Lengths around the maximum that is stored, and far above it, with every line end and division. */
Test(reply, long_lines_are_cut_and_their_code_is_used)
{
	static const size_t lengths[] = {SMTP_REPLY_LINE_MAX - 7, SMTP_REPLY_LINE_MAX - 6,
	    SMTP_REPLY_LINE_MAX - 5, SMTP_REPLY_LINE_MAX - 4, SMTP_REPLY_LINE_MAX,
	    SMTP_REPLY_LINE_MAX + 1, 20000, SMTP_REPLY_BYTES_MAX / 2};
	static const size_t steps[] = {1, 7, 4096, 1 << 20};
	static const char *const ends[] = {"\n", "\r\n"};
	struct buf in;

	buf_init(&in, 2 << 20);
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths * 2; i++) {
		buf_reset(&in);
		buf_addz(&in, "550-5.1.1 first\r\n550 ");
		for (size_t n = 0; n < lengths[i / 2]; n++)
			buf_addc(&in, 'x');
		buf_addz(&in, ends[i % 2]);
		buf_addz(&in, "250 next\r\n");
		for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
			struct smtp_reply r;
			size_t used;

			smtp_reply_init(&r, NULL);
			cr_expect_eq(take_all(&r, buf_str(&in), steps[k], &used), SMTP_REPLY_DONE);
			cr_expect_eq(r.code, 550);
			cr_expect_eq(used, in.n - 10, "%zu", lengths[i / 2]);
			cr_expect(str_starts(buf_str(&r.text), STR("5.1.1 first xxxx")));
			cr_expect(!str_has(buf_str(&r.text), '\r'));
			smtp_reply_clear(&r);
		}
	}
	buf_clear(&in);
}

/* 64 MB without an end, in lines or as one line: refused after a bounded part. */
Test(reply, endless_replies_are_refused)
{
	static const char *pieces[] = {"250-more of it\r\n", "250-", "xxxxxxxxxxxxxxxxxxxxxxxx"};

	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		enum smtp_reply_progress p = SMTP_REPLY_MORE;
		size_t total = 0, used;
		struct smtp_reply r;

		smtp_reply_init(&r, NULL);
		while (p == SMTP_REPLY_MORE && total < 64u << 20) {
			p = smtp_reply_take(&r, str_of(pieces[i]), &used);
			total += used;
		}
		cr_expect_eq(p, SMTP_REPLY_BAD);
		cr_expect_leq(total, SMTP_REPLY_BYTES_MAX + 32);
		cr_expect_leq(r.text.cap, SMTP_REPLY_TEXT_MAX);
		smtp_reply_clear(&r);
	}
}

Test(reply, long_text_is_cut)
{
	struct smtp_reply r;
	struct buf in;
	size_t used;

	buf_init(&in, 1 << 20);
	for (int i = 0; i < 10000; i++)
		buf_addz(&in, "550-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
	buf_addz(&in, "550 end\r\n");
	smtp_reply_init(&r, NULL);
	cr_expect_eq(smtp_reply_take(&r, buf_str(&in), &used), SMTP_REPLY_DONE);
	cr_expect_eq(used, in.n);
	cr_expect(r.text.n <= SMTP_REPLY_TEXT_MAX && r.text.n > SMTP_REPLY_TEXT_MAX - 64);
	cr_expect_eq(strlen(smtp_reply_status(&r).text), SMTP_STATUS_TEXT_BYTES - 1);
	smtp_reply_clear(&r);
	buf_clear(&in);
}

static struct smtp_extensions
ehlo(const char *in)
{
	struct smtp_extensions x;
	struct smtp_reply r;
	size_t used;

	smtp_reply_init(&r, &x);
	cr_expect_eq(smtp_reply_take(&r, str_of(in), &used), SMTP_REPLY_DONE);
	smtp_reply_clear(&r);
	return x;
}

Test(reply, extensions)
{
	struct smtp_extensions x = ehlo("250-mx.example PIPELINING\r\n250-SIZE 1000\r\n"
	    "250-8bitmime\r\n250-DSN\r\n"
				   "250-AUTH plain LOGIN x;y\r\n250-AUTH=PLAIN SCRAM-SHA-256\r\n"
				    "250 STARTTLS\r\n");

	cr_expect_eq(x.has, EXT_SIZE | EXT_8BITMIME | EXT_DSN | EXT_AUTH | EXT_STARTTLS);
	cr_expect_eq(x.size, 1000);
	cr_expect_str_eq(x.auth, " PLAIN LOGIN SCRAM-SHA-256 ");
	x = ehlo("250-a\r\n250-PIPELINING\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-SIZE 1e9\r\n"
	    "250 ENHANCEDSTATUSCODES\r\n");
	cr_expect_eq(x.has, EXT_PIPELINING | EXT_SMTPUTF8 | EXT_CHUNKING | EXT_SIZE |
	    EXT_ENHANCEDSTATUSCODES);
	cr_expect_eq(x.size, 0);
	x = ehlo("250 PIPELINING\r\n");
	cr_expect_eq(x.has, 0);
	x = ehlo("250-a\r\n250-SIZE 99999999999999999999999\r\n250-AUTHENTIC\r\n250-SIZED\r\n"
	    "250\r\n");
	cr_expect_eq(x.has, EXT_SIZE);
	cr_expect_eq(x.size, 0);
}

Test(reply, an_endless_auth_line_is_bounded)
{
	struct buf in;
	struct smtp_extensions x;
	struct smtp_reply r;
	size_t used;

	buf_init(&in, 1 << 16);
	buf_addz(&in, "250-a\r\n250 AUTH");
	for (int i = 0; i < 200; i++)
		buf_addf(&in, " MECH%d", i);
	buf_addz(&in, "\r\n");
	smtp_reply_init(&r, &x);
	cr_expect_eq(smtp_reply_take(&r, buf_str(&in), &used), SMTP_REPLY_DONE);
	cr_expect_lt(strlen(x.auth), sizeof x.auth);
	cr_expect(str_starts(str_of(x.auth), STR(" MECH0 MECH1 ")));
	smtp_reply_clear(&r);
	buf_clear(&in);
}
