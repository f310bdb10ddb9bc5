/*
 * header_ascii: what may leave to a host without SMTPUTF8 is ASCII, has the same fields and
 * addresses, and shows the same text.  Input that is no header becomes one field: its first octet
 * chooses the name.
 */
#include <stdlib.h>

#include "mail/display_name.h"
#include "mail/encoded_word.h"
#include "mail/header_ascii.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BLOCK_BYTES = 80000, FOLD_AT = 900 };

static void
must_hold(bool ok)
{
	if (!ok)
		abort();
}

static bool
fuzz_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Encoded words decoded, those in a row joined; other text as it is. */
static void
fuzz_show(struct str s, struct buf *text)
{
	size_t shown = 0;

	while (s.n && fuzz_is_blank(s.p[0]))
		s = str_from(s, 1);
	while (s.n && fuzz_is_blank(s.p[s.n - 1]))
		s.n--;
	while (s.n) {
		size_t blanks = 0, n;
		struct str word, rest;

		while (blanks < s.n && fuzz_is_blank(s.p[blanks]))
			blanks++;
		for (n = blanks; n < s.n && !fuzz_is_blank(s.p[n]);)
			n++;
		rest = word = str_make(s.p + blanks, n - blanks);
		if (!encoded_word_is(word) || shown == 0)
			for (size_t i = 0; i < blanks; i++)
				if (s.p[i] != '\r' && s.p[i] != '\n')
					buf_addc(text, s.p[i]);
		shown = encoded_word_is(word);
		if (!shown || encoded_word_take(&rest, text))
			buf_adds(text, word);
		s = str_from(s, n);
	}
}

/* The same without blanks and quotes, for fields where quotes mean something. */
static void
show_bare(struct str s, struct buf *text)
{
	struct buf word;

	buf_init(&word, s.n + 1);
	for (size_t i = 0; i < s.n; i++) {
		struct str rest = str_from(s, i);

		if (str_starts(rest, STR("=?utf-8?")) && !encoded_word_take(&rest, &word)) {
			for (size_t k = 0; k < word.n; k++)
				if (!fuzz_is_blank(word.p[k]) && word.p[k] != '"')
					buf_addc(text, word.p[k]);
			buf_reset(&word);
			i = s.n - rest.n - 1;
			continue;
		}
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		if (!fuzz_is_blank(s.p[i]) && s.p[i] != '"')
			buf_addc(text, s.p[i]);
	}
	buf_clear(&word);
}

static void
check_same(struct str a, struct str b, void (*how)(struct str s, struct buf *text))
{
	struct buf text_a, text_b;

	buf_init(&text_a, 8 * BLOCK_BYTES);
	buf_init(&text_b, 8 * BLOCK_BYTES);
	how(a, &text_a);
	how(b, &text_b);
	must_hold(str_eq(buf_str(&text_a), buf_str(&text_b)));
	buf_clear(&text_a);
	buf_clear(&text_b);
}

static void
check_addresses(struct str a, struct str b)
{
	struct header_address *list_a, *list_b;
	size_t count_a, count_b;
	struct arena arena;

	arena_init(&arena, 64 << 20);
	if (header_addresses(a, &arena, &list_a, &count_a)) {
		must_hold(header_addresses(b, &arena, &list_b, &count_b) && count_a == count_b);
		for (size_t i = 0; i < count_a; i++)
			must_hold(str_eq(list_a[i].text, list_b[i].text));
	}
	arena_clear(&arena);
}

static bool
may_use(const struct mail_address *address, void *arg)
{
	(void)arg;
	return str_ieq(address->text, STR("a@b"));
}

static unsigned
code_of_names(struct str body, struct arena *arena)
{
	struct display_name d = {STR("From"), STR("a"), may_use, NULL, arena};
	struct header_address *list;
	size_t count;
	struct str shown;

	if (!header_addresses(body, arena, &list, &count))
		return 0;
	return display_name_check(&d, body, list, count, &shown).code;
}

/* Names that a login may show are not made into names that it may not show. */
static void
fuzz_check_names(struct str a, struct str b)
{
	struct arena arena;

	arena_init(&arena, 64 << 20);
	must_hold(code_of_names(a, &arena) != 250 || code_of_names(b, &arena) == 250);
	arena_clear(&arena);
}

static void
fuzz_check_field(const struct header_field *a, const struct header_field *b)
{
	bool has_word = a->body.n > 1 && memmem(a->body.p, a->body.n, "=?", 2);

	must_hold(str_eq(a->name, b->name));
	if (str_is_ascii(a->raw))
		must_hold(str_eq(a->raw, b->raw));
	else if (header_is(a, "Subject"))
		check_same(a->body, b->body, fuzz_show);
	else if (header_is(a, "From") || header_is(a, "To")) {
		check_addresses(a->body, b->body);
		/* an encoded word beside other characters beyond ASCII is encoded once more, and
		 * shows what was checked when it is decoded twice */
		if (!has_word) {
			fuzz_check_names(a->body, b->body);
			check_same(a->body, b->body, show_bare);
		}
	} else if ((header_is(a, "Keywords") || header_is(a, "Received")) && !has_word)
		check_same(a->body, b->body, show_bare);
}

static void
check_block(struct str block)
{
	struct header_field a, b;
	struct header_fault fault;
	struct buf out;
	struct str rest;

	buf_init(&out, HEADER_ASCII_BYTES_MAX);
	if (header_to_ascii(block, &out, &fault)) {
		rest = buf_str(&out);
		must_hold(str_is_ascii(rest) && header_is_sendable(rest, &fault));
		while (block.n) {
			must_hold(rest.n && !header_take(&block, &a) && !header_take(&rest, &b));
			fuzz_check_field(&a, &b);
		}
		must_hold(rest.n == 0);
	} else {
		must_hold(fault.why != NULL);
	}
	buf_clear(&out);
}

/* Any octets as the value of one field. */
static void
check_value(struct str in)
{
	static const char *const names[] = {"Subject", "From", "To", "Keywords", "Received",
		"Content-Type", "Content-Disposition", "List-Id"};
	size_t line = 0;
	struct buf block;

	buf_init(&block, BLOCK_BYTES);
	buf_addf(&block, "%s: ", names[(unsigned char)in.p[0] % 8]);
	for (in = str_upto(str_from(in, 1), BLOCK_BYTES / 2); in.n; line++) {
		size_t n = 1;

		while (n < 4 && n < in.n && ((unsigned char)in.p[n] & 0xc0) == 0x80)
			n++;
		if (header_control_bytes(in) || !str_is_utf8(str_upto(in, n)))
			buf_addc(&block, ' ');
		else
			buf_add(&block, in.p, n);
		if (line % FOLD_AT == FOLD_AT / 4)
			buf_addz(&block, "\r\n ");
		in = str_from(in, n);
	}
	buf_addz(&block, "\r\n");
	check_block(buf_str(&block));
	buf_clear(&block);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_make((const char *)data, size);
	struct header_fault fault;

	if (size == 0)
		return 0;
	if (header_is_sendable(in, &fault) && size <= BLOCK_BYTES)
		check_block(in);
	check_value(in);
	return 0;
}
