/* rewrite_rig: see the header. */
#include "rewrite_rig.h"

static struct arena arena;
struct buf rewrite_out;
struct str rewrite_from;

void
rewrite_set_up(void)
{
	setenv("TZ", "UTC", 1);
	arena_init(&arena, 1 << 20);
	buf_init(&rewrite_out, 128 << 10);
}

void
rewrite_tear_down(void)
{
	arena_clear(&arena);
	buf_clear(&rewrite_out);
}

static bool
may_use(const struct mail_address *a, void *arg)
{
	static const char *own[] = {"alice@example.com", "sales@example.com", "\"a b\"@example.com",
	    "j\xc3\xbc@example.com"};
	struct mail_address b;

	(void)arg;
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (mail_address_parse(str_of(own[i]), &b, NULL) && mail_address_same(a, &b))
			return true;
	return false;
}

struct header_origin
rewrite_usual(void)
{
	return (struct header_origin){
	    .hostname = STR("mail.example.com"),
	    .domain = STR("example.com"),
	    .user = STR("alice@example.com"),
	    .sender = STR("alice@example.com"),
	    .id = STR("1R8K3M7Q4TB2-1"),
	    .protocol = STR("ESMTPSA"),
	    .tls = STR("TLSv1.3"),
	    .now_ms = NOW_MS,
	    .may = may_use,
	};
}

struct smtp_status
rewrite_run_with(struct str in, const struct header_origin *o)
{
	struct header h, completed;
	struct header_authors authors = {.from_count = 0};
	struct smtp_status s;

	buf_reset(&rewrite_out);
	arena_clear(&arena);
	s = header_parse(in, &arena, &h);
	if (s.code == 250)
		s = header_policy_check(&h, o, &arena, &authors);
	rewrite_from = authors.from;
	if (s.code == 250 && !header_complete(&h, o, &authors, &arena, &completed))
		s = header_too_large();
	if (s.code == 250)
		s = rewrite_header(&completed, o, &rewrite_out);
	if (s.code != 250 && s.code != 550)
		rewrite_from = STR_NULL;
	return s;
}

struct smtp_status
rewrite_run(const char *in)
{
	struct header_origin r = rewrite_usual();

	return rewrite_run_with(str_of(in), &r);
}

struct str
rewrite_below_trace(void)
{
	struct str s = buf_str(&rewrite_out);

	cr_assert(str_starts(s, STR("Received:")));
	do
		s = str_from(s, str_find(s, '\n') + 1);
	while (s.n && (s.p[0] == '\t' || s.p[0] == ' '));
	return s;
}

void
rewrite_expect(const char *in, const char *result)
{
	struct smtp_status s = rewrite_run(in);

	cr_expect_eq(s.code, 250, "%s: %u %s", in, s.code, s.text);
	if (s.code == 250)
		cr_expect(str_eq(rewrite_below_trace(), str_of(result)), "%s ->\n%.*s", in,
		    STR_ARG(rewrite_below_trace()));
}

void
rewrite_expect_refusal(struct str in, unsigned code, const char *enhanced)
{
	struct header_origin r = rewrite_usual();
	struct smtp_status s = rewrite_run_with(in, &r);
	char text[SMTP_STATUS_ENHANCED_BYTES];

	cr_expect_eq(s.code, code, "%.*s: %u %s", STR_ARG(in), s.code, s.text);
	cr_expect_str_eq(smtp_status_enhanced(&s, text), enhanced, "%.*s: %s", STR_ARG(in), s.text);
	/* the address that the user may not use, for the log */
	if (code == 550)
		cr_expect(rewrite_from.n > 0 && strstr(s.text, "may not send as ") &&
		              str_eq(str_of(strstr(s.text, " as ") + 4), rewrite_from),
		    "%.*s: %s", STR_ARG(rewrite_from), s.text);
	else
		cr_expect_eq(rewrite_from.n, 0);
}
