/* Replies: bounded, and the same however the stream is cut. */
#include <stdlib.h>

#include "mail/smtp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static enum reply_progress
take(struct reply *r, struct str in, size_t step, size_t *total)
{
	enum reply_progress p = REPLY_MORE;

	*total = 0;
	for (size_t used; *total < in.n && p == REPLY_MORE; *total += used) {
		p = reply_take(r, str_upto(str_from(in, *total), step), &used);
		check(p != REPLY_MORE || used > 0);
	}
	return p;
}

static void
check_status(const struct status *s)
{
	struct str text = str_of(s->text);

	check(str_is_utf8(text) && s->code >= 200 && s->code <= 599);
	for (size_t i = 0; i < text.n; i++)
		check((unsigned char)text.p[i] >= 0x20 && text.p[i] != 0x7f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_make((const char *)data, size);
	struct extensions x, y;
	struct reply a, b;
	size_t used_a, used_b;
	enum reply_progress p;

	reply_init(&a, &x);
	reply_init(&b, &y);
	p = take(&a, in, in.n + 1, &used_a);
	check(take(&b, in, 1 + in.n % 7, &used_b) == p);
	if (p == REPLY_DONE) {
		struct status s = reply_status(&a), t = reply_status(&b);

		check_status(&s);
		check(used_a == used_b && s.code == t.code && strcmp(s.text, t.text) == 0);
		check(x.has == y.has && x.size == y.size && strcmp(x.auth, y.auth) == 0);
	}
	check(a.text.n <= REPLY_TEXT_MAX && strlen(x.auth) < sizeof x.auth);
	reply_clear(&a);
	reply_clear(&b);
	return 0;
}
