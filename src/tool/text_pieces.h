/*
 * text_pieces: a file that is shown a piece at a time, however large it is.  No piece ends within a
 * character of UTF-8, or between CR and LF, unless the file ends there.
 */
#ifndef TOOL_TEXT_PIECES_H
#define TOOL_TEXT_PIECES_H

#include "base/str.h"

typedef void text_pieces_fn(struct str piece, void *arg);

/* From its beginning, whoever shares its position.  -1 with errno: it could not be read to its
 * end. */
int text_pieces_read(int fd, text_pieces_fn *fn, void *arg) MUST_USE;

#endif
