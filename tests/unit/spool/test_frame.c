/* frame: what was encoded is decoded again; anything else is refused. */
#include <criterion/criterion.h>

#include "base/crc.h"
#include "spool/frame.h"

enum { TAG = 77 };

static struct spool_entry
a_message(void)
{
	struct spool_entry e = {.kind = SPOOL_MESSAGE, .id = {123456789, 7}};

	e.message.recipient_count = 3;
	e.message.envelope = STR("envelope");
	e.message.header = STR("Subject: x\r\n");
	e.message.body = STR("body\0with NUL");
	return e;
}

static struct spool_entry
a_status(void)
{
	struct spool_entry e = {.kind = SPOOL_STATUS, .id = {123456789, 7}};

	e.status = (struct spool_recipient){.number = 2,
	    .outcome = SPOOL_DEFERRED,
	    .attempts = 9,
	    .next_ms = 1234567890123,
	    .marks = 0x80000001,
	    .detail = STR("451 later")};
	return e;
}

static struct buf
encoded(const struct spool_entry *e, uint64_t body_bytes)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	frame_put_entry(&b, e, body_bytes);
	cr_assert(buf_ok(&b));
	cr_assert_eq(b.n, frame_entry_bytes(e));
	return b;
}

Test(frame, message_is_decoded)
{
	struct spool_entry e = a_message();
	struct buf b = encoded(&e, e.message.body.n);
	struct str rest = buf_str(&b);
	struct frame_entry r;
	bool bad;

	cr_assert(frame_next_entry(&rest, &r, &bad));
	cr_assert_eq(r.type, FRAME_MESSAGE);
	cr_assert(msgid_eq(r.entry.id, e.id));
	cr_assert_eq(r.entry.message.recipient_count, 3);
	cr_assert(str_eq(r.entry.message.envelope, e.message.envelope));
	cr_assert(str_eq(r.entry.message.header, e.message.header));
	cr_assert(str_eq(r.entry.message.body, e.message.body));
	cr_assert_not(frame_next_entry(&rest, &r, &bad));
	cr_assert_not(bad);
	buf_clear(&b);
}

Test(frame, message_with_a_file_has_no_body)
{
	struct spool_entry e = a_message();
	struct buf b;
	struct str rest;
	struct frame_entry r;
	bool bad;

	e.message.in_file = true;
	e.message.fd = -1;
	b = encoded(&e, 1u << 31);
	rest = buf_str(&b);
	cr_assert(frame_next_entry(&rest, &r, &bad));
	cr_assert(r.entry.message.in_file);
	cr_assert_eq(r.body_bytes, 1u << 31);
	cr_assert_eq(r.entry.message.body.n, 0);
	cr_assert_eq(r.entry.message.sums.n, 0, "0.1.0 wrote none");
	buf_clear(&b);
}

/* Two blocks have two checksums; a part that a newer version added stays in a copy. */
Test(frame, message_with_a_file_has_parts)
{
	static const char parts[] = "\x09\0\0\0\x03\0\0\0new\x01\0\0\0\x08\0\0\0SUM1SUM2";
	struct spool_entry e = a_message();
	struct buf b;
	struct str rest;
	struct frame_entry r;
	bool bad;

	e.message.in_file = true;
	e.message.fd = -1;
	e.message.parts = str_make(parts, sizeof parts - 1);
	b = encoded(&e, 65537);
	rest = buf_str(&b);
	cr_assert(frame_next_entry(&rest, &r, &bad));
	cr_assert(str_eq(r.entry.message.sums, STR("SUM1SUM2")));
	cr_assert(str_eq(r.entry.message.parts, e.message.parts));
	buf_clear(&b);
	b = encoded(&e, 65536);
	rest = buf_str(&b);
	cr_assert_not(frame_next_entry(&rest, &r, &bad), "a sum too many for the body");
	cr_assert(bad);
	buf_clear(&b);
}

Test(frame, status_is_decoded)
{
	struct spool_entry e = a_status();
	struct buf b = encoded(&e, 0);
	struct str rest = buf_str(&b);
	struct frame_entry r;
	bool bad;

	cr_assert(frame_next_entry(&rest, &r, &bad));
	cr_assert_eq(r.entry.status.number, 2);
	cr_assert_eq(r.entry.status.outcome, SPOOL_DEFERRED);
	cr_assert_not(r.entry.status.is_settled);
	cr_assert_eq(r.entry.status.attempts, 9);
	cr_assert_eq(r.entry.status.next_ms, 1234567890123);
	cr_assert_eq(r.entry.status.marks, 0x80000001);
	cr_assert(str_eq(r.entry.status.detail, STR("451 later")));
	buf_clear(&b);
}

/* One byte of a status entry has an invalid value. */
Test(frame, malformed_entries_are_refused)
{
	static const struct {
		const char *what;
		size_t at;
		unsigned char value;
	} rows[] = {
	    {"type 0", 0, 0},
	    {"an unknown type that must be understood", 1, 0x80},
	    {"longer than the payload", 5, 1},
	    {"shorter than its fixed part", 4, 3},
	    {"recipient 0", FRAME_ENTRY_HEADER_BYTES + 12, 0},
	    {"recipient beyond the limit", FRAME_ENTRY_HEADER_BYTES + 14, 1},
	    {"unknown outcome", FRAME_ENTRY_HEADER_BYTES + 16, 4},
	    {"settled is neither", FRAME_ENTRY_HEADER_BYTES + 17, 2},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct spool_entry e = a_status();
		struct buf b = encoded(&e, 0);
		struct str rest;
		struct frame_entry r;
		bool bad;

		b.p[rows[i].at] = (char)rows[i].value;
		rest = buf_str(&b);
		cr_expect_not(frame_next_entry(&rest, &r, &bad), "%s", rows[i].what);
		cr_expect(bad, "%s", rows[i].what);
		buf_clear(&b);
	}
}

Test(frame, unknown_types_are_skipped)
{
	char bytes[] = "\x63\0\0\0\3\0\0\0abc";
	struct str rest = str_make(bytes, 11);
	struct frame_entry r;
	bool bad;

	cr_assert(frame_next_entry(&rest, &r, &bad));
	cr_assert_eq((int)r.type, 0x63);
	cr_assert_eq(rest.n, 0);
}

Test(frame, frame_is_refused_after_any_change)
{
	struct spool_entry e = a_status();
	struct buf b = encoded(&e, 0);
	char bytes[512] = {0};
	struct frame_header f = {.tag = TAG, .sequence = 5, .entries = 1}, g;
	struct str s = str_make(bytes, sizeof bytes);

	f.payload_bytes = (uint32_t)b.n;
	f.payload_crc = crc32c(0, b.p, b.n);
	f.span = frame_span(b.n);
	frame_header_write(&f, bytes);
	memcpy(bytes + FRAME_HEADER_BYTES, b.p, b.n);
	cr_assert(frame_check(s, TAG, &g));
	cr_assert_eq(g.sequence, 5);
	cr_assert_not(frame_check(s, TAG + 1, &g));
	cr_assert_not(frame_check(str_upto(s, FRAME_HEADER_BYTES + b.n - 1), TAG, &g));
	for (size_t i = 0; i < FRAME_HEADER_BYTES + b.n; i++) {
		bytes[i] ^= 0x10;
		cr_expect_not(frame_check(s, TAG, &g), "byte %zu", i);
		bytes[i] ^= 0x10;
	}
	buf_clear(&b);
}
