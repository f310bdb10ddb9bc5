/*
 * anchor: reads trust anchor files: DS and DNSKEY records in zone file form (RFC 1035 section 5).
 */
#ifndef CONF_ANCHOR_H
#define CONF_ANCHOR_H

#include "conf/parser.h"

enum { ANCHOR_BYTES_MAX = 64 << 10, ANCHOR_OWNER_BYTES = 256 };

struct anchor_reader {
	struct str rest;
	unsigned next_line;
};

/* The next record of the text on one line, in the form for libunbound; false: there is none.
 * Comments, blank lines and $TTL are skipped.  line_out: the line where it begins.
 * record_out->over: the record is incomplete or too long. */
bool anchor_next(struct anchor_reader *r, struct buf *record_out, unsigned *line_out) MUST_USE;
/* A reader at the beginning of the text, of which it keeps a view. */
struct anchor_reader anchor_read(struct str text);

/* The first error of the text; NULL: it has records, and all are well formed.  line_out: 0 when the
 * error concerns the whole text. */
const char *anchor_check(struct str text, unsigned *line_out) MUST_USE;
/* The owner name of the first record; false: there is none. */
bool anchor_owner(struct str text, char owner_out[ANCHOR_OWNER_BYTES]) MUST_USE;

/* Adds an error when validation is on and dns.trust_anchor cannot be used. */
void anchor_check_file(
    const struct conf *c, const struct conf_parse_tree *tree, struct diagnostics *diagnostics);

#endif
