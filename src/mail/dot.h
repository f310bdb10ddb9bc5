/*
 * dot: transparency of DATA (RFC 5321 section 4.5.2), both ways, in blocks.
 */
#ifndef MAIL_DOT_H
#define MAIL_DOT_H

#include "base/buf.h"
#include "base/crlf_check.h"

/* The end of data is CRLF.CRLF and nothing else. */
struct dot {
	uint8_t state;
	unsigned faults; /* of enum crlf_fault, kept until the end */
	bool is_done;    /* the final dot was seen */
};

void dot_init(struct dot *d);
/* Decodes from `in` into out until the final dot or the end of `in`; *used_out never reaches beyond
 * the final CRLF.  The CRLF before the dot belongs to the data.  After a fault decoding goes on in
 * step (only CRLF.CRLF ends), but nothing more is added to out.  out->over: the message is too
 * large, likewise goes on.  Returns is_done. */
bool dot_take(struct dot *d, struct str in, struct buf *out, size_t *used_out);

/* Encoder: doubles dots at line starts; *at_line_start carries over pieces (begin with true).
 * `in` holds CRLF line ends only. */
bool dot_stuff(struct str in, bool *at_line_start, struct buf *out);
/* What ends the data: ".\r\n", with CRLF before it when the last line had none. */
bool dot_end(bool at_line_start, struct buf *out);

#endif
