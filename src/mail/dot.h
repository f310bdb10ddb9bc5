/*
 * dot: dot stuffing and the end of data (RFC 5321 section 4.5.2), in both directions, in blocks of
 * any size.
 */
#ifndef MAIL_DOT_H
#define MAIL_DOT_H

#include "base/buf.h"
#include "base/crlf_check.h"

/* The data ends at CRLF.CRLF and at nothing else. */
struct dot {
	uint8_t state;
	unsigned faults; /* of enum crlf_fault; never removed */
	bool is_done;    /* the final dot was read */
};

/* Begins to decode. */
void dot_init(struct dot *d);
/* Decodes from `in` into out until the final dot or the end of `in`; *used_out never goes beyond
 * the final CRLF. The CRLF before the dot belongs to the data. After a fault, decoding continues in
 * the same way (only CRLF.CRLF ends the data), but nothing more is added to out; likewise when out
 * is full (out->over). Returns is_done. */
bool dot_take(struct dot *d, struct str in, struct buf *out, size_t *used_out);

/* Encodes: doubles dots at line starts. *at_line_start is true at first and is carried from block
 * to block. Line ends in `in` are CRLF only. */
bool dot_stuff(struct str in, bool *at_line_start, struct buf *out);
/* Ends the data: ".\r\n", after a CRLF when the last line had none. */
bool dot_end(bool at_line_start, struct buf *out);

#endif
