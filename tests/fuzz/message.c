/* Messages between roles: decoding is total, and what decodes encodes to the same bytes. */
#include <stdlib.h>

#include "ipc/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_make((const char *)data, size), rest, key, value;
	enum message_type type;
	union message message;
	struct buf again;

	if (message_decode(in, &type, &message)) {
		buf_init(&again, size + 16);
		if (!message_encode(type, &message, &again) || !str_eq(buf_str(&again), in))
			abort();
		buf_clear(&again);
	}
	rest = in;
	while (message_values_next(&rest, &key, &value))
		if (key.n + value.n > size)
			abort();
	return 0;
}
