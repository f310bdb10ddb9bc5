/* Replies: bounded, and the same however the stream is cut. */
#include <stdlib.h>

#include "mail/smtp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must_hold(bool ok)
{
	if (!ok)
		abort();
}

static enum smtp_reply_progress
fuzz_take_reply(struct smtp_reply *r, struct str in, size_t step, size_t *total)
{
	enum smtp_reply_progress p = SMTP_REPLY_MORE;

	*total = 0;
	for (size_t used; *total < in.n && p == SMTP_REPLY_MORE; *total += used) {
		p = smtp_reply_take(r, str_upto(str_from(in, *total), step), &used);
		must_hold(p != SMTP_REPLY_MORE || used > 0);
	}
	return p;
}

static void
fuzz_check_status(const struct smtp_status *s)
{
	struct str text = str_of(s->text);

	must_hold(str_is_utf8(text) && s->code >= 200 && s->code <= 599);
	for (size_t i = 0; i < text.n; i++)
		must_hold((unsigned char)text.p[i] >= 0x20 && text.p[i] != 0x7f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_make((const char *)data, size);
	struct smtp_extensions x, y;
	struct smtp_reply a, b;
	size_t used_a, used_b;
	enum smtp_reply_progress p;

	smtp_reply_init(&a, &x);
	smtp_reply_init(&b, &y);
	p = fuzz_take_reply(&a, in, in.n + 1, &used_a);
	must_hold(fuzz_take_reply(&b, in, 1 + in.n % 7, &used_b) == p);
	if (p == SMTP_REPLY_DONE) {
		struct smtp_status s = smtp_reply_status(&a), t = smtp_reply_status(&b);

		fuzz_check_status(&s);
		must_hold(used_a == used_b && s.code == t.code && strcmp(s.text, t.text) == 0);
		must_hold(x.has == y.has && x.size == y.size && strcmp(x.auth, y.auth) == 0);
	}
	must_hold(a.text.n <= SMTP_REPLY_TEXT_MAX && strlen(x.auth) < sizeof x.auth);
	smtp_reply_clear(&a);
	smtp_reply_clear(&b);
	return 0;
}
