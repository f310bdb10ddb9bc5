/*
 * dot: against a slow decoder that follows RFC 5321 octet by octet, whole and in pieces; and what
 * is sound survives the way out and back.  The first octet says how the input is cut.
 */
#include <stdlib.h>

#include "mail/dot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must_hold(bool ok)
{
	if (!ok)
		abort();
}

/* Where the data ends: behind the first CRLF.CRLF, a CRLF in front of the data imagined. */
static size_t
model_end(struct str in)
{
	const char *at;

	if (str_starts(in, STR(".\r\n")))
		return 3;
	at = in.n ? memmem(in.p, in.n, "\r\n.\r\n", 5) : NULL;
	return at ? (size_t)(at - in.p) + 5 : in.n + 1;
}

static unsigned
model_faults(struct str in, bool is_cut)
{
	unsigned faults = 0;

	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '\0')
			faults |= CRLF_NUL;
		if (in.p[i] == '\n' && (i == 0 || in.p[i - 1] != '\r'))
			faults |= CRLF_BARE_LF;
		if (in.p[i] == '\r' && (i + 1 < in.n ? in.p[i + 1] != '\n' : !is_cut))
			faults |= CRLF_BARE_CR;
	}
	return faults;
}

static void
check_decoder(struct str in, size_t step)
{
	size_t end = model_end(in), total = 0, used;
	bool is_done = false;
	struct buf out;
	struct dot d;

	dot_init(&d);
	buf_init(&out, 1 << 22);
	while (total < in.n && !is_done) {
		is_done = dot_take(&d, str_upto(str_from(in, total), step), &out, &used);
		total += used;
	}
	must_hold(is_done == (end <= in.n) && total == (is_done ? end : in.n));
	must_hold(d.faults == model_faults(str_upto(in, total), true));
	if (d.faults == 0 && is_done) {
		struct buf wire;
		bool at_line_start = true;

		buf_init(&wire, 1 << 22);
		must_hold(dot_stuff(buf_str(&out), &at_line_start, &wire));
		must_hold(dot_end(at_line_start, &wire) && model_end(buf_str(&wire)) == wire.n);
		must_hold(wire.n >= total || str_has(in, '.'));
		buf_clear(&wire);
	}
	buf_clear(&out);
}

static void
check_chunks(struct str in, size_t step)
{
	struct crlf_check c = {0};

	for (size_t at = 0; at < in.n; at += step)
		crlf_check_add(&c, str_upto(str_from(in, at), step));
	must_hold(crlf_check_end(&c) == model_faults(in, false));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_make((const char *)data, size);
	size_t step = size ? 1 + data[0] % 16u : 1;

	in = str_from(in, 1);
	check_decoder(in, step);
	check_decoder(in, in.n + 1);
	check_chunks(in, step);
	check_chunks(in, in.n + 1);
	return 0;
}
