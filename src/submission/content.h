/*
 * content: the content of one message, header and body apart. The body is in memory, or in a file
 * that the queue opened. What a host must support to take the body is found while it streams in. A
 * stage may replace the header as a whole. Knows no session and writes no file.
 */
#ifndef SUBMISSION_CONTENT_H
#define SUBMISSION_CONTENT_H

#include "base/buf.h"
#include "mail/body_facts.h"

struct content_body {
	struct buf bytes; /* all of it; in_file: what is not written yet */
	bool in_file;
	uint64_t file_bytes;     /* written, or being written */
	struct body_facts facts; /* of all that has come */
};

struct content {
	struct buf header; /* the fields, without the empty line */
	bool has_body;     /* the empty line has come: all that follows is body */
	struct content_body body;
};

/* Makes an empty content; content_clear frees what it holds. */
void content_init(struct content *c);
void content_clear(struct content *c);
/* Frees what it holds; nothing is added to it any more. */
void content_discard(struct content *c);

/* The octets at the front of `in` that belong to one part, header or body, and for which there is
 * room. The empty line counts as header. */
struct str content_next_part(const struct content *c, struct str in);
/* Where they are added: content_added examines what was added after the first `before` bytes. */
struct buf *content_part_bytes(struct content *c);
void content_added(struct content *c, size_t before);

/* The header with its empty line has at most HEADER_BYTES_MAX octets. */
bool content_header_fits(const struct content *c);
/* The content is too large for one packet; in_file: there is a full piece to write. */
bool content_is_full(const struct content *c);

/* The size of the body, wherever it is. */
uint64_t content_body_bytes(const struct content *c);
/* The content has an octet above 127. */
bool content_is_8bit(const struct content *c);
/* Takes over *header, and leaves it empty. */
void content_replace_header(struct content *c, struct buf *header);

#endif
