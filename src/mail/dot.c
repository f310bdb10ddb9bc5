/*
 * dot: what ends a line is CRLF and nothing else, so a look-alike (LF.LF, CR.CR, and so on) never
 * ends the data; it is a fault, and the caller refuses the whole message.  Runs are found with
 * memchr and copied as blocks: of sound data only doubled dots and the final dot are not copied.
 */
#include "mail/dot.h"

enum state { LINE_START, TEXT, TEXT_CR, DOT, DOT_CR };

static size_t
find_octet_from(struct str in, size_t from, char c)
{
	return from + str_find(str_from(in, from), c);
}

/* Runs from `at`, inside a line, to the end of that line or of `in`; says how it ended: LINE_START,
 * TEXT, or TEXT_CR.  A bare LF ends no line. */
static size_t
scan_line(struct str in, size_t at, unsigned *faults, enum state *state_out)
{
	size_t lf = find_octet_from(in, at, '\n');
	size_t cr = find_octet_from(str_upto(in, lf), at, '\r');

	*state_out = TEXT;
	if (cr + 1 < lf)
		*faults |= CRLF_BARE_CR;
	if (lf == in.n) {
		if (lf > at && in.p[lf - 1] == '\r')
			*state_out = TEXT_CR;
		return lf;
	}
	if (lf > at && in.p[lf - 1] == '\r')
		*state_out = LINE_START;
	else
		*faults |= CRLF_BARE_LF;
	return lf + 1;
}

void
dot_init(struct dot *d)
{
	*d = (struct dot){.state = LINE_START};
}

/* The states of one octet; returns how many octets are used up. */
static size_t
dot_step(struct dot *d, char c)
{
	enum state now = (enum state)d->state;

	d->state = TEXT;
	if (now == LINE_START && c == '.') {
		d->state = DOT;
		return 1;
	}
	if (now == DOT && c == '\r') {
		d->state = DOT_CR;
		return 1;
	}
	if (now == DOT_CR && c == '\n') {
		d->is_done = true;
		return 1;
	}
	if (now == TEXT_CR && c == '\n') {
		d->state = LINE_START;
		return 1;
	}
	if (now == DOT_CR || now == TEXT_CR)
		d->faults |= CRLF_BARE_CR;
	return 0;
}

static void
add_dot_run(struct dot *d, struct str in, size_t from, size_t to, struct buf *out)
{
	if (d->faults == 0 && to > from)
		buf_add(out, in.p + from, to - from);
}

bool
dot_take(struct dot *d, struct str in, struct buf *out, size_t *used_out)
{
	size_t i = 0, from = 0;

	while (i < in.n && !d->is_done) {
		enum state now = (enum state)d->state;
		size_t used;

		if (now == TEXT) {
			enum state next;

			i = scan_line(in, i, &d->faults, &next);
			d->state = (uint8_t)next;
			continue;
		}
		used = dot_step(d, in.p[i]);
		/* the first dot of a line and what belongs to the final dot are no content */
		if (used && now != TEXT_CR) {
			add_dot_run(d, in, from, i, out);
			from = i + used;
		}
		i += used;
	}
	if (find_octet_from(str_upto(in, i), 0, '\0') < i)
		d->faults |= CRLF_NUL;
	add_dot_run(d, in, from, i, out);
	*used_out = i;
	return d->is_done;
}

bool
dot_stuff(struct str in, bool *at_line_start, struct buf *out)
{
	bool is_start = *at_line_start;
	size_t from = 0;

	for (size_t i = 0; i < in.n; i = find_octet_from(in, i, '\n') + 1) {
		if (is_start && in.p[i] == '.') {
			buf_add(out, in.p + from, i + 1 - from);
			from = i; /* the dot once more */
		}
		is_start = true;
	}
	buf_adds(out, str_from(in, from));
	if (in.n)
		*at_line_start = in.p[in.n - 1] == '\n';
	return buf_ok(out);
}

bool
dot_end(bool at_line_start, struct buf *out)
{
	return buf_adds(out, at_line_start ? STR(".\r\n") : STR("\r\n.\r\n"));
}
