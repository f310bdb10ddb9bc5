/* base64, hex and xtext: decoders are total, and what they accept encodes back to the same text. */
#include <stdlib.h>

#include "base/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(struct str in, bool (*decode)(struct buf *, struct str), bool (*encode)(struct buf *, struct str),
    bool is_exact)
{
	struct buf plain, again;

	buf_init(&plain, 1 << 20);
	buf_init(&again, 4 << 20);
	if (decode(&plain, in)) {
		if (!encode(&again, buf_str(&plain)))
			abort();
		if (is_exact ? !str_eq(buf_str(&again), in) : !str_ieq(buf_str(&again), in))
			abort();
	} else if (plain.n != 0) {
		abort();
	}
	buf_clear(&plain);
	buf_clear(&again);
}

/* xtext may encode more than it must: the decoded value has to survive, not the spelling. */
static void
check_xtext(struct str in)
{
	struct buf plain, text, again;

	buf_init(&plain, 1 << 20);
	buf_init(&text, 4 << 20);
	buf_init(&again, 1 << 20);
	if (decode_xtext(&plain, in) != is_xtext(in))
		abort();
	if (!encode_xtext(&text, buf_str(&plain)) || !decode_xtext(&again, buf_str(&text)))
		abort();
	if (!str_eq(buf_str(&plain), buf_str(&again)))
		abort();
	buf_clear(&plain);
	buf_clear(&text);
	buf_clear(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_make((const char *)data, size);

	check(in, decode_base64, encode_base64, true);
	check(in, decode_hex, encode_hex, false);
	check_xtext(in);
	return 0;
}
