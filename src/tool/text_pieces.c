/*
 * text_pieces: there is one buffer: the unfinished end of a piece moves to its beginning, at most
 * three bytes. It reads by position and leaves that of the descriptor unchanged. Bytes that are not
 * UTF-8 are passed on as they are.
 */
#include "tool/text_pieces.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { PIECE_BYTES = 64 << 10, CHARACTER_BYTES_MAX = 4 };

/* The number of bytes at the end that may continue in the next piece. */
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
	char buffer[PIECE_BYTES];
	size_t unfinished = 0;
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, buffer + unfinished, sizeof buffer - unfinished, at)) != 0) {
		struct str whole = str_make(buffer, unfinished + (size_t)(n > 0 ? n : 0));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		at += n;
		unfinished = text_pieces_unfinished(whole);
		if (whole.n > unfinished)
			fn(str_upto(whole, whole.n - unfinished), arg);
		memmove(buffer, buffer + whole.n - unfinished, unfinished);
	}
	if (unfinished)
		fn(str_make(buffer, unfinished), arg);
	return 0;
}
