/*
 * content: the header ends at the first empty line. It is searched before the octets are taken, so
 * that header and body go to different buffers and no octet is moved later.
 */
#include "submission/content.h"

#include "ipc/message.h"
#include "mail/header.h"

enum { EMPTY_LINE_BYTES = 4 }; /* with the end of the line before it */

void
content_init(struct content *c)
{
	*c = (struct content){.has_body = false};
	/* one byte more than is allowed shows that it is too much */
	buf_init(&c->header, HEADER_BYTES_MAX + 1);
	buf_init(&c->body.bytes, MESSAGE_CONTENT_MAX + 1);
}

void
content_clear(struct content *c)
{
	buf_clear(&c->header);
	buf_clear(&c->body.bytes);
}

void
content_discard(struct content *c)
{
	content_clear(c);
	c->header.over = true;
	c->body.bytes.over = true;
}

/* ---- input ---- */

/* The last octets of the header, with the line end that stands before its first line. */
static size_t
content_copy_header_end(const struct buf *header, char out[EMPTY_LINE_BYTES - 1])
{
	size_t kept = EMPTY_LINE_BYTES - 1;

	if (header->n >= kept) {
		memcpy(out, header->p + header->n - kept, kept);
		return kept;
	}
	kept = header->n < 2 ? 2 : 0;
	memcpy(out, "\r\n", kept);
	memcpy(out + kept, header->n > 0 ? header->p : "", header->n);
	return kept + header->n;
}

/* How many octets of `in`, which follow this header, are header: up to an empty line, or all. */
static size_t
content_header_octets(const struct buf *header, struct str in)
{
	char edge[2 * (EMPTY_LINE_BYTES - 1)];
	size_t before = content_copy_header_end(header, edge);
	struct str first = str_upto(in, EMPTY_LINE_BYTES - 1);
	const char *found;

	if (in.n == 0)
		return 0;
	memcpy(edge + before, first.p, first.n);
	found = memmem(edge, before + first.n, "\r\n\r\n", EMPTY_LINE_BYTES);
	if (found)
		return (size_t)(found - edge) + EMPTY_LINE_BYTES - before;
	found = memmem(in.p, in.n, "\r\n\r\n", EMPTY_LINE_BYTES);
	return found ? (size_t)(found - in.p) + EMPTY_LINE_BYTES : in.n;
}

/* Bytes in memory, as one packet would have them. */
static size_t
content_bytes_held(const struct content *c)
{
	size_t header_bytes = c->header.n + (c->has_body ? 2 : 0);

	return (c->body.in_file ? 0 : header_bytes) + c->body.bytes.n;
}

struct str
content_next_part(const struct content *c, struct str in)
{
	size_t held = content_bytes_held(c);

	if (c->has_body)
		return str_upto(
		    in, held <= MESSAGE_CONTENT_MAX ? MESSAGE_CONTENT_MAX + 1 - held : 0);
	in = str_upto(in, HEADER_BYTES_MAX + 1 - c->header.n);
	return str_upto(in, content_header_octets(&c->header, in));
}

struct buf *
content_part_bytes(struct content *c)
{
	return c->has_body ? &c->body.bytes : &c->header;
}

static bool
content_ends_in_empty_line(const struct buf *header)
{
	if (header->n <= 2)
		return header->n == 2 && memcmp(header->p, "\r\n", 2) == 0;
	return header->n >= EMPTY_LINE_BYTES &&
	       memcmp(header->p + header->n - EMPTY_LINE_BYTES, "\r\n\r\n", EMPTY_LINE_BYTES) == 0;
}

void
content_added(struct content *c, size_t before)
{
	if (c->has_body) {
		body_facts_take(&c->body.facts, str_from(buf_str(&c->body.bytes), before));
		return;
	}
	c->has_body = content_ends_in_empty_line(&c->header);
	if (c->has_body)
		c->header.n -= 2;
}

bool
content_header_fits(const struct content *c)
{
	return c->header.n + (c->has_body ? 2 : 0) <= HEADER_BYTES_MAX;
}

bool
content_is_full(const struct content *c)
{
	return content_bytes_held(c) > MESSAGE_CONTENT_MAX;
}

/* ---- the whole ---- */

uint64_t
content_body_bytes(const struct content *c)
{
	return c->body.file_bytes + c->body.bytes.n;
}

bool
content_is_8bit(const struct content *c)
{
	return c->body.facts.is_8bit || !str_is_ascii(buf_str(&c->header));
}

void
content_replace_header(struct content *c, struct buf *header)
{
	buf_clear(&c->header);
	c->header = *header;
	buf_init(header, header->max);
}
