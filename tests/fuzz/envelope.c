/* Envelopes: decoding is total, what decodes is kept by the next writer, and no text in it can end
 * a command or a path. */
#include <stdlib.h>

#include "mail/envelope.h"
#include "mail/mail_address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must_hold(bool ok)
{
	if (!ok)
		abort();
}

static void
check_same(const struct envelope *a, const struct envelope *b)
{
	must_hold(msgid_eq(a->id, b->id) && a->arrival_ms == b->arrival_ms && a->kind == b->kind);
	must_hold(str_eq(a->sender, b->sender) && str_eq(a->user, b->user));
	must_hold(str_eq(a->unknown, b->unknown) && a->recipient_count == b->recipient_count);
	for (uint32_t i = 0; i < a->recipient_count; i++) {
		must_hold(str_eq(a->recipients[i].address, b->recipients[i].address));
		must_hold(str_eq(a->recipients[i].orcpt, b->recipients[i].orcpt));
		must_hold(str_eq(a->recipients[i].unknown, b->recipients[i].unknown));
		must_hold(a->recipients[i].notify == b->recipients[i].notify);
	}
}

static void
check_text(struct str s)
{
	must_hold(str_is_utf8(s));
	for (size_t i = 0; i < s.n; i++)
		must_hold((unsigned char)s.p[i] >= ' ' && s.p[i] != 0x7f);
}

/* Said in angle brackets: nothing outside quotes ends them. */
static void
check_address(struct str s)
{
	bool is_quoted = false;

	check_text(s);
	must_hold(s.n <= MAIL_ADDRESS_MAX);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			is_quoted = !is_quoted;
		else if (is_quoted && s.p[i] == '\\')
			i++;
		else
			must_hold(is_quoted || !strchr(" <>,;", s.p[i]));
	}
	must_hold(!is_quoted);
}

static void
check_parameter(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		must_hold(s.p[i] > ' ' && s.p[i] < 0x7f);
}

static void
check_texts(const struct envelope *e)
{
	check_text(e->user);
	check_text(e->header_from);
	check_text(e->client);
	check_text(e->credential);
	check_text(e->pool);
	check_address(e->sender);
	check_parameter(e->envid);
	for (uint32_t i = 0; i < e->recipient_count; i++) {
		must_hold(e->recipients[i].address.n > 0);
		check_address(e->recipients[i].address);
		check_parameter(e->recipients[i].orcpt);
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
		check_texts(&a);
		must_hold(envelope_encode(&a, &first));
		must_hold(envelope_decode(buf_str(&first), &arena, &b));
		check_same(&a, &b);
		must_hold(envelope_encode(&b, &second));
		must_hold(str_eq(buf_str(&first), buf_str(&second)));
	}
	arena_clear(&arena);
	buf_clear(&first);
	buf_clear(&second);
	return 0;
}
