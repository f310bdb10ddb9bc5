/*
 * Spool records: frames and entries are decoded totally, and an entry that is accepted encodes
 * back to the same bytes.  The input is a frame under a known tag, or else a payload.
 */
#include <stdlib.h>

#include "spool/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TAG = 0x5a11 };

static void
check_again(const struct frame_entry *r, struct str bytes)
{
	struct buf again;

	buf_init(&again, 4 << 20);
	if (r->type == FRAME_SEAL)
		frame_put_seal(&again, &r->seal);
	else if (r->type >= FRAME_MESSAGE && r->type <= FRAME_NOTE)
		frame_put_entry(&again, &r->entry, r->body_bytes);
	/* flags that no one uses yet are not kept */
	if (buf_ok(&again) && again.n && again.n != bytes.n)
		abort();
	buf_clear(&again);
}

static void
check_payload(struct str rest)
{
	struct frame_entry r;
	bool bad = false;

	for (struct str before = rest; frame_next_entry(&rest, &r, &bad); before = rest) {
		if (bad || rest.n >= before.n)
			abort();
		check_again(&r, str_upto(before, before.n - rest.n));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_make((const char *)data, size);
	struct frame_header f;

	if (frame_check(in, TAG, &f)) {
		if (f.payload_bytes > size - FRAME_HEADER_BYTES || f.span < FRAME_HEADER_BYTES)
			abort();
		check_payload(str_upto(str_from(in, FRAME_HEADER_BYTES), f.payload_bytes));
	}
	check_payload(in);
	return 0;
}
