/*
 * talk: a conversation as a text file, for servers and clients alike.  One line of the file is one
 * act; blank lines and lines that begin with # are left out:
 *
 *	C: text    what the client says, a line: CRLF is added
 *	S: text    what the server says, a line
 *	C> bytes   the same, exactly these bytes
 *	S> bytes
 *	! words    an event, or an expectation that is no line: up to the player
 *
 * Escapes: \r \n \t \0 \\ \xHH, and \[N*text] for N times text (which may hold escapes).
 */
#ifndef TESTS_SUPPORT_TALK_H
#define TESTS_SUPPORT_TALK_H

#include "base/arena.h"

enum talk_kind { TALK_CLIENT, TALK_SERVER, TALK_EVENT };

struct talk_act {
	enum talk_kind kind;
	unsigned line;    /* in the file, from 1 */
	bool is_raw;      /* C> or S> */
	struct str text;  /* escapes undone; no CRLF unless it was written */
};

struct talk {
	struct arena arena;
	struct talk_act *acts;
	size_t count;
};

/* False: why says where and what. */
bool talk_read(const char *path, struct talk *out, char why[200]);
bool talk_parse(struct str text, struct talk *out, char why[200]);
void talk_clear(struct talk *t);

/* `*` stands for any bytes, `?` for one. */
bool talk_matches(struct str pattern, struct str text);
/* Takes the next word (separated by blanks; "" around a word keeps blanks in it). */
bool talk_word(struct str *rest, struct str *word_out);

#endif
