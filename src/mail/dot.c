/*
 * dot: only CRLF ends a line, so a similar sequence (LF.LF, CR.CR, and so on) never ends the data;
 * it is a fault, and the caller refuses the whole message. Line ends are searched with memchr and
 * text is copied in blocks: in correct data, only doubled dots and the final dot are not copied.
 */
#include "mail/dot.h"

enum dot_state { LINE_START, TEXT, TEXT_CR, DOT, DOT_CR };

static size_t
find_octet_from(struct str in, size_t from, char c)
{
	return from + str_find(str_from(in, from), c);
}

/* Scans from `at`, inside a line, to the end of that line or of `in`. *state_out: LINE_START, TEXT
 * or TEXT_CR. A bare LF ends no line. */
static size_t
scan_line(struct str in, size_t at, unsigned *faults, enum dot_state *state_out)
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

/* The state after one octet; returns how many octets were used. */
static size_t
dot_step(struct dot *d, char c)
{
	enum dot_state state = (enum dot_state)d->state;

	d->state = TEXT;
	if (state == LINE_START && c == '.') {
		d->state = DOT;
		return 1;
	}
	if (state == DOT && c == '\r') {
		d->state = DOT_CR;
		return 1;
	}
	if (state == DOT_CR && c == '\n') {
		d->is_done = true;
		return 1;
	}
	if (state == TEXT_CR && c == '\n') {
		d->state = LINE_START;
		return 1;
	}
	if (state == DOT_CR || state == TEXT_CR)
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
		enum dot_state state = (enum dot_state)d->state;
		size_t used;

		if (state == TEXT) {
			enum dot_state next;

			i = scan_line(in, i, &d->faults, &next);
			d->state = (uint8_t)next;
			continue;
		}
		used = dot_step(d, in.p[i]);
		/* the first dot of a line and the octets of the final dot are no content */
		if (used && state != TEXT_CR) {
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
			from = i; /* the dot again */
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
