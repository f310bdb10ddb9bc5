/*
 * text_pieces: reads a file of any size in pieces.  No piece ends within a UTF-8 character, or
 * between CR and LF, unless the file ends there.
 */
#ifndef TOOL_TEXT_PIECES_H
#define TOOL_TEXT_PIECES_H

#include "base/str.h"

typedef void text_pieces_fn(struct str piece, void *arg);

/* Calls fn for each piece from the beginning of the file, without use of the shared file position.
 * -1 with errno: it could not be read to its end. */
int text_pieces_read(int fd, text_pieces_fn *fn, void *arg) MUST_USE;

#endif
