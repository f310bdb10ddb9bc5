/* Envelopes: decoding is total, and what decodes is kept by the next writer. */
#include <stdlib.h>

#include "mail/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static void
check_same(const struct envelope *a, const struct envelope *b)
{
	check(msgid_eq(a->id, b->id) && a->arrival_ms == b->arrival_ms && a->kind == b->kind);
	check(str_eq(a->sender, b->sender) && str_eq(a->user, b->user));
	check(str_eq(a->unknown, b->unknown) && a->recipient_count == b->recipient_count);
	for (uint32_t i = 0; i < a->recipient_count; i++) {
		check(str_eq(a->recipients[i].address, b->recipients[i].address));
		check(str_eq(a->recipients[i].orcpt, b->recipients[i].orcpt));
		check(str_eq(a->recipients[i].unknown, b->recipients[i].unknown));
		check(a->recipients[i].notify == b->recipients[i].notify);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct envelope a, b;
	struct arena arena;
	struct buf first, second;

	arena_init(&arena, 4 << 20);
	buf_init(&first, 1 << 20);
	buf_init(&second, 1 << 20);
	if (envelope_decode(str_make((const char *)data, size), &arena, &a)) {
		check(envelope_encode(&a, &first));
		check(envelope_decode(buf_str(&first), &arena, &b));
		check_same(&a, &b);
		check(envelope_encode(&b, &second));
		check(str_eq(buf_str(&first), buf_str(&second)));
	}
	arena_clear(&arena);
	buf_clear(&first);
	buf_clear(&second);
	return 0;
}
