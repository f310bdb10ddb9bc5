/* The content is read once, when it is sent.  What it needs of a host is in the envelope; otherwise
 * it is found out block by block. */
#include "relay/message_source.h"

#include <criterion/criterion.h>

enum { BODY_BYTES = 1 << 20 };

struct reader {
	uint64_t bytes, most;
	uint64_t high_at; /* the position of an octet above 127 */
	bool is_broken;
	char block[MESSAGE_SOURCE_BLOCK_BYTES];
};

static enum message_source_answer
read_counted(void *arg, uint64_t at, size_t n, struct str *block_out)
{
	struct reader *r = arg;

	cr_assert_leq(n, sizeof r->block);
	memset(r->block, 'x', n);
	if (r->high_at >= at && r->high_at < at + n)
		r->block[r->high_at - at] = (char)0xfc;
	*block_out = str_make(r->block, n);
	r->bytes += n;
	if (n > r->most)
		r->most = n;
	return r->is_broken ? MESSAGE_SOURCE_UNREADABLE : MESSAGE_SOURCE_AVAILABLE;
}

static enum message_source_scan_state
scan_all(struct reader *r, struct envelope *e, struct message_source *source, unsigned *turns)
{
	enum message_source_scan_state state;

	*source = (struct message_source){.envelope = e,
	    .header = STR("Subject: x\r\n"),
	    .body_bytes = BODY_BYTES,
	    .read = read_counted,
	    .arg = r};
	for (*turns = 1; (state = message_source_scan(source)) == MESSAGE_SOURCE_SCAN_MORE;
	     ++*turns)
		;
	return state;
}

Test(relay_message_source, known_facts_need_no_reading)
{
	struct envelope e = {.facts = BODY_FACTS_KNOWN, .body = BODY_8BITMIME};
	struct reader r = {.high_at = BODY_BYTES};
	struct message_source source;
	unsigned turns;

	cr_expect_eq(scan_all(&r, &e, &source, &turns), MESSAGE_SOURCE_SCANNED);
	cr_expect_eq(turns, 1);
	cr_expect_eq(r.bytes, 0);
	cr_expect_not(source.is_8bit, "what it holds counts, not what was announced");
	e.facts |= BODY_FACTS_8BIT;
	cr_expect_eq(scan_all(&r, &e, &source, &turns), MESSAGE_SOURCE_SCANNED);
	cr_expect_eq(r.bytes, 0);
	cr_expect(source.is_8bit);
}

Test(relay_message_source, unknown_facts_need_one_block_in_each_turn)
{
	struct envelope e = {.facts = 0};
	struct reader r = {.high_at = BODY_BYTES};
	struct message_source source;
	unsigned turns;

	cr_expect_eq(scan_all(&r, &e, &source, &turns), MESSAGE_SOURCE_SCANNED);
	cr_expect_eq(r.bytes, BODY_BYTES);
	cr_expect_leq(r.most, MESSAGE_SOURCE_BLOCK_BYTES);
	cr_expect_eq(turns, BODY_BYTES / MESSAGE_SOURCE_BLOCK_BYTES + 1);
	cr_expect_not(source.is_8bit);
	r = (struct reader){.high_at = BODY_BYTES - 1};
	cr_expect_eq(scan_all(&r, &e, &source, &turns), MESSAGE_SOURCE_SCANNED);
	cr_expect(source.is_8bit);
	r = (struct reader){.high_at = 0};
	cr_expect_eq(scan_all(&r, &e, &source, &turns), MESSAGE_SOURCE_SCANNED);
	cr_expect(source.is_8bit);
	cr_expect_leq(r.bytes, MESSAGE_SOURCE_BLOCK_BYTES);
	r = (struct reader){.is_broken = true};
	cr_expect_eq(scan_all(&r, &e, &source, &turns), MESSAGE_SOURCE_SCAN_FAILED);
}

/* First a host without SMTPUTF8, then one with it. */
Test(relay_message_source, the_header_fits_each_host)
{
	struct envelope e = {
	    .smtputf8 = true, .facts = BODY_FACTS_KNOWN, .sender = STR("a@b.example")};
	struct message_source source = {.envelope = &e,
	    .header = STR("Subject: \xc3\xbc\r\n"),
	    .body = STR("x\r\n")};
	struct header_fault fault;
	struct str piece;

	cr_assert_eq(message_source_scan(&source), MESSAGE_SOURCE_SCANNED);
	cr_expect_eq(message_source_bytes(&source), 18);
	for (unsigned turn = 0; turn < 2; turn++) {
		cr_assert(message_source_choose_header(&source, false, &fault));
		cr_expect_eq(message_source_bytes(&source), 32);
		cr_expect_not(source.is_8bit);
		cr_assert_eq(message_source_read(&source, 0, &piece), MESSAGE_SOURCE_AVAILABLE);
		cr_expect(str_eq(piece, STR("Subject: =?utf-8?B?w7w=?=\r\n")));
		cr_assert_eq(message_source_read(&source, 29, &piece), MESSAGE_SOURCE_AVAILABLE);
		cr_expect(str_eq(piece, STR("x\r\n")));
		cr_assert(message_source_choose_header(&source, true, &fault));
		cr_expect_eq(message_source_bytes(&source), 18);
		cr_expect(source.is_8bit);
		cr_assert_eq(message_source_read(&source, 0, &piece), MESSAGE_SOURCE_AVAILABLE);
		cr_expect(str_eq(piece, source.header));
	}
	source.header = STR("To: \xc3\xbc@b.example\r\n");
	message_source_clear(&source);
	cr_expect_not(message_source_choose_header(&source, false, &fault));
	cr_expect_str_eq(fault.why, "an address that is not ASCII");
	cr_expect(message_source_choose_header(&source, true, &fault), "the next host may have it");
	e.smtputf8 = false;
	cr_expect(message_source_choose_header(&source, false, &fault),
	    "what was sent without it goes as it came");
	cr_expect(source.is_8bit);
	message_source_clear(&source);
}
