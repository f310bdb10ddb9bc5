/*
 * talk: an SMTP session as a text file, for tests of server and client.  One line of the file is
 * one act; blank lines and lines that begin with # are skipped:
 *
 *	C: text    a line that the client sends: CRLF is added
 *	S: text    a line that the server sends
 *	C> bytes   the same, exactly these bytes
 *	S> bytes
 *	! words    an event, or an expectation that is no line: defined by the player
 *
 * Escapes: \r \n \t \0 \\ \xHH, and \[N*text] for N times text (which may contain escapes).
 */
#ifndef TESTS_SUPPORT_TALK_H
#define TESTS_SUPPORT_TALK_H

#include "base/arena.h"

enum talk_kind { TALK_CLIENT, TALK_SERVER, TALK_EVENT };

struct talk_act {
	enum talk_kind kind;
	unsigned line;    /* number in the file, from 1 */
	bool is_raw;      /* C> or S> */
	struct str text;  /* without escapes; CRLF only where it was written */
};

struct talk {
	struct arena arena;
	struct talk_act *acts;
	size_t count;
};

/* Reads a talk.  False: why contains the line and the error. */
bool talk_read(const char *path, struct talk *out, char why[200]);
/* The same from a text; free with talk_clear. */
bool talk_parse(struct str text, struct talk *out, char why[200]);
void talk_clear(struct talk *t);

/* Matches a pattern: `*` stands for any bytes, `?` for one. */
bool talk_matches(struct str pattern, struct str text);
/* Takes the next word from `rest` (separated by spaces; "" around a word keeps spaces in it). */
bool talk_word(struct str *rest, struct str *word_out);

#endif
