/* base64 and xtext: decoders are total, and base64 they accept encodes back to the same text. */
#include <stdlib.h>

#include "base/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_base64(struct str in)
{
	struct buf plain, again;

	buf_init(&plain, 1 << 20);
	buf_init(&again, 4 << 20);
	if (decode_base64(&plain, in)) {
		if (!encode_base64(&again, buf_str(&plain)) || !str_eq(buf_str(&again), in))
			abort();
	} else if (plain.n != 0) {
		abort();
	}
	buf_clear(&plain);
	buf_clear(&again);
}

/* Never longer than what it decodes, and all or nothing. */
static void
check_xtext(struct str in)
{
	struct buf plain;

	buf_init(&plain, 1 << 20);
	if (decode_xtext(&plain, in) ? plain.n > in.n : plain.n != 0)
		abort();
	buf_clear(&plain);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_make((const char *)data, size);

	check_base64(in);
	check_xtext(in);
	return 0;
}
