/*
 * header: blocks and address lists are total and lose nothing; and whatever a submission becomes,
 * it may leave, has exactly one From, a Date and a Message-ID, no Bcc, and says and shows only what
 * the user may say.
 */
#include <stdlib.h>

#include "mail/authserv.h"
#include "mail/header_complete.h"
#include "mail/header_policy.h"
#include "mail/rewrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must_hold(bool ok)
{
	if (!ok)
		abort();
}

static bool
may(const struct mail_address *a, void *arg)
{
	(void)arg;
	return str_ieq(a->domain, STR("example.com"));
}

static void
check_list(struct str body)
{
	struct header_address *list;
	struct arena arena;
	size_t count;

	arena_init(&arena, 16 << 20);
	if (header_addresses(body, &arena, &list, &count))
		for (size_t i = 0; i < count; i++) {
			must_hold(list[i].n > 0 && list[i].at + list[i].n <= body.n);
			must_hold(list[i].is_simple ==
			    str_eq(list[i].text, str_make(body.p + list[i].at, list[i].n)));
		}
	arena_clear(&arena);
}

static void
check_from(const struct header_field *f, struct arena *arena)
{
	struct header_address *list;
	struct mail_address a;
	size_t count;

	struct display_name d = {f->name, STR("alice"), may, NULL, arena};
	struct str shown;

	must_hold(header_addresses(f->body, arena, &list, &count) && count > 0);
	must_hold(display_name_check(&d, f->body, list, count, &shown).code == 250);
	for (size_t i = 0; i < count; i++)
		must_hold(mail_address_parse(list[i].text, &a, NULL) && may(&a, NULL));
}

static void
check_once(const struct header *h)
{
	static const char *once[] = {"Date", "Sender", "Reply-To", "To", "Cc", "Message-ID",
	    "In-Reply-To", "References", "Subject"};

	for (size_t i = 0; i < sizeof once / sizeof *once; i++)
		must_hold(header_count(h, once[i]) <= 1);
}

/* No result in our name is left, also when it is read once more. */
static void
check_results(const struct header *h)
{
	for (size_t i = 0; i < h->count; i++)
		if (header_is(&h->fields[i], "Authentication-Results"))
			must_hold(!authserv_may_be(h->fields[i].body, STR("mail.example.com")));
}

static void
fuzz_check_rewritten(struct str block)
{
	struct header_fault fault;
	struct arena arena;
	struct header h;

	arena_init(&arena, 16 << 20);
	must_hold(header_is_sendable(block, &fault));
	must_hold(header_parse(block, &arena, &h).code == 250);
	must_hold(header_count(&h, "From") == 1 && header_is(&h.fields[0], "Received"));
	must_hold(header_find(&h, "Date") && header_find(&h, "Message-ID"));
	must_hold(!header_find(&h, "Bcc") && !header_find(&h, "Resent-Bcc"));
	must_hold(!header_find(&h, "Return-Path"));
	check_once(&h);
	check_results(&h);
	check_from(header_find(&h, "From"), &arena);
	arena_clear(&arena);
}

static void
check_rewrite(const struct header *h, struct arena *arena, bool smtputf8)
{
	struct header_origin o = {.hostname = STR("mail.example.com"), .domain = STR("example.com"),
		.user = STR("alice"), .sender = STR("alice@example.com"),
		    .id = STR("1R8K3M7Q4TB2-1"),
		.protocol = STR("ESMTPSA"), .now_ms = 1795280272104, .smtputf8 = smtputf8,
		    .may = may};
	struct header completed;
	struct buf out;
	struct header_authors authors;

	buf_init(&out, 60000); /* so that the result is a header again */
	if (h->count < HEADER_FIELDS_MAX - 8 &&
	    header_policy_check(h, &o, arena, &authors).code == 250 &&
	    header_complete(h, &o, &authors, arena, &completed) &&
	    rewrite_header(&completed, &o, &out).code == 250)
		fuzz_check_rewritten(buf_str(&out));
	buf_clear(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_make((const char *)data, size), block;
	const char *empty = size ? memmem(data, size, "\r\n\r\n", 4) : NULL;
	struct arena arena;
	struct header h;
	size_t bytes = 0;

	arena_init(&arena, 1 << 20);
	check_list(in);
	block = empty ? str_upto(in, (size_t)(empty - in.p) + 2) : in;
	if (header_parse(block, &arena, &h).code == 250) {
		for (size_t i = 0; i < h.count; i++) {
			bytes += h.fields[i].raw.n;
			check_list(h.fields[i].body);
		}
		must_hold(bytes == block.n);
		check_rewrite(&h, &arena, false);
		check_rewrite(&h, &arena, true);
	}
	arena_clear(&arena);
	return 0;
}
