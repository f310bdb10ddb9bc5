/*
 * text_pieces: see the header.
 */
#include "tool/text_pieces.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { PIECE_BYTES = 64 << 10, CHARACTER_BYTES_MAX = 4 };

/* How many bytes at the end may belong to what comes next. */
static size_t
text_pieces_unfinished(struct str s)
{
	for (size_t n = 1; n < CHARACTER_BYTES_MAX && n <= s.n; n++) {
		unsigned char c = (unsigned char)s.p[s.n - n];

		if (n == 1 && c == '\r')
			return 1;
		if (c >= 0xc0)
			return str_utf8_step(str_from(s, s.n - n)) ? 0 : n;
		if (c < 0x80)
			return 0;
	}
	return 0;
}

int
text_pieces_read(int fd, text_pieces_fn *fn, void *arg)
{
	char room[PIECE_BYTES];
	size_t held = 0;
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, room + held, sizeof room - held, at)) != 0) {
		struct str whole = str_make(room, held + (size_t)(n > 0 ? n : 0));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		at += n;
		held = text_pieces_unfinished(whole);
		if (whole.n > held)
			fn(str_upto(whole, whole.n - held), arg);
		memmove(room, room + whole.n - held, held);
	}
	if (held)
		fn(str_make(room, held), arg);
	return 0;
}
