/*
 * anchor: trust anchor files: DS and DNSKEY records, written as in zone files (RFC 1035 section 5).
 */
#ifndef CONF_ANCHOR_H
#define CONF_ANCHOR_H

#include "conf/parser.h"

enum { ANCHOR_BYTES_MAX = 64 << 10, ANCHOR_OWNER_BYTES = 256 };

struct anchor_reader {
	struct str rest;
	unsigned next_line;
};

/* The next record of a file's text on one line, as libunbound wants it; false: there are no more.
 * Comments, blank lines and $TTL are passed over.  line_out: where it begins.  record_out->over: it
 * is cut short or too long. */
bool anchor_next(struct anchor_reader *r, struct buf *record_out, unsigned *line_out) MUST_USE;
struct anchor_reader anchor_read(struct str text);

/* What is wrong with the text; NULL: it holds records, and all are well formed.  line_out: 0 when
 * it is about the whole. */
const char *anchor_check(struct str text, unsigned *line_out) MUST_USE;
/* The name that the first record is for. */
bool anchor_owner(struct str text, char owner_out[ANCHOR_OWNER_BYTES]) MUST_USE;

/* Notes an error when validation is on and dns.trust_anchor cannot be used. */
void anchor_check_file(
    const struct conf *c, const struct conf_parse_tree *tree, struct diagnostics *notes);

#endif
