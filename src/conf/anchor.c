/*
 * anchor: nothing can be validated without a usable anchor, so a bad one is an error when the
 * configuration is read, before any process depends on it. Only the form of records is checked, and
 * forms that libunbound does not read are refused; whether a key is the right one is not known
 * here.
 */
#include "conf/anchor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/path_access.h"
#include "base/regular_file.h"

enum { WORDS_MAX = 64, FIELD_MAX = 65535 };

struct anchor_reader
anchor_read(struct str text)
{
	return (struct anchor_reader){text, 1};
}

/* Reads the next record or empty line, without comments, as one line. */
static bool
next_line(struct anchor_reader *r, struct buf *out)
{
	unsigned depth = 0;
	bool is_comment = false;

	buf_reset(out);
	for (size_t i = 0; i < r->rest.n; i++) {
		char c = r->rest.p[i];

		r->next_line += c == '\n';
		is_comment = c != '\n' && (is_comment || c == ';');
		depth += !is_comment && c == '(';
		depth -= !is_comment && c == ')' && depth;
		if (c == '\n' && depth == 0) {
			r->rest = str_from(r->rest, i + 1);
			return true;
		}
		if (!is_comment)
			buf_addc(out, c == '(' || c == ')' || c == '\n' || c == '\r' ? ' ' : c);
	}
	r->rest = STR_NULL;
	/* a record with an open parenthesis is incomplete */
	out->over |= depth > 0;
	return out->n > 0;
}

bool
anchor_next(struct anchor_reader *r, struct buf *record_out, unsigned *line_out)
{
	struct str record;

	do {
		*line_out = r->next_line;
		if (!next_line(r, record_out))
			return record_out->over;
		record = str_trim(buf_str(record_out));
	} while (!record_out->over && (record.n == 0 || str_starts(record, STR("$TTL"))));
	return true;
}

/* ---- the form of a record ---- */

struct anchor_words {
	struct str word[WORDS_MAX];
	size_t count;
};

static bool
split_record(struct str record, struct anchor_words *out)
{
	out->count = 0;
	for (size_t i = 0; i < record.n;) {
		size_t from = i;

		while (i < record.n && record.p[i] != ' ' && record.p[i] != '\t')
			i++;
		if (i > from && out->count == WORDS_MAX)
			return false;
		if (i > from)
			out->word[out->count++] = str_make(record.p + from, i - from);
		i++;
	}
	return true;
}

static bool
is_number(struct str text, uint64_t max)
{
	uint64_t n;

	return str_u64(text, &n) && n <= max;
}

static bool
is_hex(struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = char_lower(text.p[i]);

		if (!char_is_digit(c) && (c < 'a' || c > 'f'))
			return false;
	}
	return true;
}

/* The digest length of RFC 4034, 4509 and 6605; 0: another type, of any length. */
static size_t
digest_digits(struct str type)
{
	if (str_eq(type, STR("1")))
		return 40;
	if (str_eq(type, STR("2")))
		return 64;
	return str_eq(type, STR("4")) ? 96 : 0;
}

static bool
is_ds(const struct str *field, size_t count)
{
	size_t digits = 0, wanted;

	if (count < 4 || !is_number(field[0], FIELD_MAX) || !is_number(field[1], 255) ||
	    !is_number(field[2], 255))
		return false;
	wanted = digest_digits(field[2]);
	for (size_t i = 3; i < count; i++) {
		if (!is_hex(field[i]))
			return false;
		digits += field[i].n;
	}
	return wanted ? digits == wanted : digits % 2 == 0;
}

static bool
is_dnskey(const struct str *field, size_t count)
{
	struct buf text, key;
	bool is_good;

	if (count < 4 || !is_number(field[0], FIELD_MAX) || !str_eq(field[1], STR("3")) ||
	    !is_number(field[2], 255))
		return false;
	buf_init(&text, ANCHOR_BYTES_MAX);
	buf_init(&key, ANCHOR_BYTES_MAX);
	for (size_t i = 3; i < count; i++)
		buf_adds(&text, field[i]);
	is_good = decode_base64(&key, buf_str(&text)) && key.n > 0;
	buf_clear(&text);
	buf_clear(&key);
	return is_good;
}

/* OWNER [TTL] [CLASS] TYPE DATA, where TTL and CLASS may be swapped. */
static bool
is_record(struct str record)
{
	struct anchor_words w;
	size_t at = 1;

	if (!split_record(record, &w) || w.count < 2 || w.word[0].n >= ANCHOR_OWNER_BYTES)
		return false;
	/* a line that begins with a blank continues the previous owner name: libunbound does not
	 * support it */
	if (record.p[0] == ' ' || record.p[0] == '\t')
		return false;
	while (at < w.count - 1 && at < 3 &&
	    (is_number(w.word[at], UINT32_MAX) || str_ieq(w.word[at], STR("IN"))))
		at++;
	if (str_ieq(w.word[at], STR("DS")))
		return is_ds(w.word + at + 1, w.count - at - 1);
	return str_ieq(w.word[at], STR("DNSKEY")) &&
	    is_dnskey(w.word + at + 1, w.count - at - 1);
}

const char *
anchor_check(struct str text, unsigned *line_out)
{
	struct anchor_reader r = anchor_read(text);
	const char *why = NULL;
	unsigned count = 0;
	struct buf record;

	buf_init(&record, ANCHOR_BYTES_MAX);
	while (!why && anchor_next(&r, &record, line_out)) {
		if (record.over)
			why = "the record is not complete, or too long";
		else if (!is_record(buf_str(&record)))
			why = "this is no well formed DS or DNSKEY record";
		count++;
	}
	if (count == 0) {
		*line_out = 0;
		why = "there is no DS or DNSKEY record in it";
	}
	buf_clear(&record);
	return why;
}

bool
anchor_owner(struct str text, char owner_out[ANCHOR_OWNER_BYTES])
{
	struct anchor_reader r = anchor_read(text);
	struct anchor_words w = {.count = 0};
	struct buf record;
	unsigned line;
	bool has_one;

	buf_init(&record, ANCHOR_BYTES_MAX);
	has_one = anchor_next(&r, &record, &line) && buf_ok(&record) &&
	    split_record(buf_str(&record), &w) && w.count && w.word[0].n < ANCHOR_OWNER_BYTES;
	if (has_one)
		snprintf(owner_out, ANCHOR_OWNER_BYTES, "%.*s", STR_ARG(w.word[0]));
	buf_clear(&record);
	return has_one;
}

/* ---- the file ---- */

static bool
read_anchor_file(const char *path, struct buf *out)
{
	int fd = regular_file_open(path, O_RDONLY), failed;
	bool is_read = fd >= 0 && buf_read_file(out, fd) == 0;

	failed = errno;
	if (fd >= 0)
		close(fd);
	errno = failed;
	return is_read;
}

void
anchor_check_file(
    const struct conf *c, const struct conf_parse_tree *tree, struct diagnostics *diagnostics)
{
	int at = conf_parse_line(tree, "dns.trust_anchor");
	char path[4096], hint[PATH_ACCESS_HINT_BYTES];
	struct buf text;
	const char *why;
	unsigned line;

	if (c->dns.dnssec == DNSSEC_OFF)
		return;
	snprintf(path, sizeof path, "%.*s", STR_ARG(c->dns.trust_anchor));
	buf_init(&text, ANCHOR_BYTES_MAX);
	if (!read_anchor_file(path, &text))
		diagnostics_add(diagnostics, at, DIAGNOSTIC_ERROR,
		    "dns.trust_anchor: %s: %s; Debian's package dns-root-data has the root's, and "
		    "dnssec = \"off\" does without%s",
		    path, regular_file_error(errno),
		    path_access_hint(c->dns.trust_anchor, errno, hint));
	else if ((why = anchor_check(buf_str(&text), &line)) && line)
		diagnostics_add(diagnostics, at, DIAGNOSTIC_ERROR, "dns.trust_anchor: %s:%u: %s",
		    path, line, why);
	else if (why)
		diagnostics_add(
		    diagnostics, at, DIAGNOSTIC_ERROR, "dns.trust_anchor: %s: %s", path, why);
	buf_clear(&text);
}
