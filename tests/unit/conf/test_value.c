/* value: the meaning of units, rejected texts, and that printed text parses to the same value. */
#include "conf/value.h"

#include "support.h"

Test(value, durations)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: refused */
		const char *printed;
	} cases[] = {
		{"5d", 432000000, "5d"}, {"90s", 90000, "90s"}, {"60s", 60000, "1m"},
		{"1h30m", 5400000, "90m"}, {"1h 30m", 5400000, "90m"}, {" 5m ", 300000, "5m"},
		{"1w", 604800000, "7d"}, {"250ms", 250, "250ms"}, {"0s", 0, "0s"}, {"0d", 0, "0s"},
		{"00005m", 300000, "5m"}, {"24h", 86400000, "1d"},
		{"9223372036854775807ms", INT64_MAX, "9223372036854775807ms"},
		{"", -1, NULL}, {" ", -1, NULL}, {"5", -1, NULL}, {"0", -1, NULL}, {"m", -1, NULL},
		{"-5m", -1, NULL}, {"+5m", -1, NULL}, {"5 m", -1, NULL}, {"5M", -1, NULL},
		{"5min", -1, NULL}, {"1.5h", -1, NULL}, {"5m,", -1, NULL}, {"5m5", -1, NULL},
		{"0x5m", -1, NULL}, {"1e3s", -1, NULL}, {"5\xc2\xb5s", -1, NULL},
		{"9223372036854775808ms", -1, NULL}, {"106751991168d", -1, NULL},
		{"106751991167d 1d", -1, NULL}, {"99999999999999999999s", -1, NULL},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t ms = -1;
		struct buf b;

		cr_expect_eq(value_duration(str_of(cases[i].text), &ms), cases[i].ms >= 0, "%s",
		    cases[i].text);
		cr_expect_eq(ms, cases[i].ms, "%s", cases[i].text);
		buf_init(&b, 100);
		if (ms >= 0)
			value_print_duration(ms, &b);
		cr_expect(str_eq(buf_str(&b), str_of(cases[i].printed)), "%s: %.*s", cases[i].text,
		    STR_ARG(buf_str(&b)));
		buf_clear(&b);
	}
}

Test(value, sizes)
{
	static const struct {
		const char *text;
		uint64_t bytes; /* 0: refused */
		const char *printed;
	} cases[] = {
	    {"50M", 52428800, "50M"},
	    {"25k", 25600, "25K"},
	    {"25K", 25600, "25K"},
	    {"1G", 1 << 30, "1G"},
	    {"512B", 512, "512B"},
	    {"1024B", 1024, "1K"},
	    {"50", 0, NULL},
	    {"", 0, NULL},
	    {"M", 0, NULL},
	    {"50 M", 0, NULL},
	    {"50MB", 0, NULL},
	    {"1M1k", 0, NULL},
	    {"-1M", 0, NULL},
	    {"1.5M", 0, NULL},
	    {"50m", 0, NULL},
	    {"9223372036854775807G", 0, NULL},
	    {"18446744073709551616B", 0, NULL},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint64_t bytes = 0;
		struct buf b;

		cr_expect_eq(value_size(str_of(cases[i].text), &bytes), cases[i].bytes > 0, "%s",
		    cases[i].text);
		cr_expect_eq(bytes, cases[i].bytes, "%s", cases[i].text);
		buf_init(&b, 100);
		if (bytes)
			value_print_size(bytes, &b);
		cr_expect(str_eq(buf_str(&b), str_of(cases[i].printed)), "%s: %.*s", cases[i].text,
		    STR_ARG(buf_str(&b)));
		buf_clear(&b);
	}
}

Test(value, rates)
{
	static const struct {
		const char *text;
		uint64_t count; /* 0: refused */
		int64_t period_ms;
	} cases[] = {
		{"300 recipients / 1h", 300, 3600000}, {"300recipients/1h", 300, 3600000},
		{"300 / 1h", 300, 3600000}, {"10/15m", 10, 900000}, {" 10 / 1h30m ", 10, 5400000},
		{"1 / 1s", 1, 1000}, {"100000000 / 366d", 100000000, INT64_C(31622400000)},
		{"300", 0, 0}, {"300 / ", 0, 0}, {"/ 1h", 0, 0}, {"", 0, 0}, {"/", 0, 0},
		{"300 / 1", 0, 0}, {"300 messages / 1h", 0, 0}, {"300 recipient / 1h", 0, 0},
		{"recipients / 1h", 0, 0}, {"0 / 1h", 0, 0}, {"5 / 0s", 0, 0}, {"5 / 999ms", 0, 0},
		{"-5 / 1h", 0, 0}, {"5 / 1h / 1h", 0, 0}, {"100000001 / 1h", 0, 0},
		{"5 / 367d", 0, 0}, {"18446744073709551617 / 1h", 0, 0}, {"5 / h", 0, 0},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct conf_rate r = {0};

		cr_expect_eq(value_rate(str_of(cases[i].text), "recipients", &r),
		    cases[i].count > 0, "%s", cases[i].text);
		cr_expect_eq(r.count, cases[i].count, "%s", cases[i].text);
		cr_expect_eq(r.period_ms, cases[i].period_ms, "%s", cases[i].text);
	}
}

Test(value, percentages)
{
	static const struct {
		const char *text;
		int64_t percent; /* -1: refused */
	} cases[] = {{"5%", 5}, {"5 %", 5}, {"0%", 0}, {"100%", 100}, {"101%", -1}, {"5", -1},
	    {"%", -1}, {"", -1}, {"-5%", -1}, {"5%%", -1}, {"5.5%", -1}};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t percent = -1;

		cr_expect_eq(value_percent(str_of(cases[i].text), &percent), cases[i].percent >= 0);
		cr_expect_eq(percent, cases[i].percent, "%s", cases[i].text);
	}
}

#define DIGITS_63 "123456789012345678901234567890123456789012345678901234567890123"

static const struct {
	enum conf_key_form form;
	const char *text;
	bool fits;
} form_cases[] = {
    {FORM_HOSTNAME, "mail.example.com", true},
    {FORM_HOSTNAME, "localhost", true},
    {FORM_HOSTNAME, "a-b.example", true},
    {FORM_HOSTNAME, "", false},
    {FORM_HOSTNAME, "mail.example.com.", false},
    {FORM_HOSTNAME, ".example", false},
    {FORM_HOSTNAME, "a..b", false},
    {FORM_HOSTNAME, "-a.example", false},
    {FORM_HOSTNAME, "a-.example", false},
    {FORM_HOSTNAME, "a_b.example", false},
    {FORM_HOSTNAME, "192.0.2.1", false},
    {FORM_HOSTNAME, "a b", false},
    {FORM_HOSTNAME, "m\xc3\xbcller.example", false},
    {FORM_HOSTNAME, "a\r\nb", false},
    {FORM_HOSTNAME, DIGITS_63 ".example", true},
    {FORM_HOSTNAME, DIGITS_63 "4.example", false},
    {FORM_DOMAIN, "m\xc3\xbcller.example", true},
    {FORM_DOMAIN, "m\xff.example", false},
    {FORM_DOMAIN, "a@b", false},
    {FORM_DOMAIN, "*.example", false},
    {FORM_HOST, "192.0.2.1", true},
    {FORM_HOST, "2001:db8::1", true},
    {FORM_HOST, "mx.example", true},
    {FORM_HOST, "[192.0.2.1]", false},
    {FORM_HOST, "unix:/run/lmtp", false},
    {FORM_HOST, "mx.example:25", false},
    {FORM_ADDRESS, "a@example.com", true},
    {FORM_ADDRESS, "\"a b\"@example.com", true},
    {FORM_ADDRESS, "a", false},
    {FORM_ADDRESS, "a@", false},
    {FORM_ADDRESS, "@b", false},
    {FORM_ADDRESS, "a b@example.com", false},
    {FORM_ADDRESS, "*@example.com", false},
    {FORM_ADDRESS, "<a@example.com>", false},
    {FORM_ADDRESS, "a@example.com\r\nX: y", false},
    {FORM_PATTERN, "*@example.com", true},
    {FORM_PATTERN, "a@example.com", true},
    {FORM_PATTERN, "*", false},
    {FORM_PATTERN, "*@*", false},
    {FORM_PATTERN, "a@*.b", false},
    {FORM_PATTERN, "example.com", false},
    {FORM_TO_DOMAIN, "example.com", true},
    {FORM_TO_DOMAIN, "*.example.com", true},
    {FORM_TO_DOMAIN, "*", false},
    {FORM_TO_DOMAIN, "*example.com", false},
    {FORM_TO_DOMAIN, "a.*.com", false},
    {FORM_TO_DOMAIN, "*.", false},
    {FORM_PATH, "/a", true},
    {FORM_PATH, "a", false},
    {FORM_PATH, "/", false},
    {FORM_IP, "::", true},
    {FORM_IP, "0.0.0.0", true},
    {FORM_IP, "127.1", false},
    {FORM_IP, "localhost", false},
    {FORM_IP, "fe80::1%eth0", false},
    {FORM_RESOLVER, "127.0.0.1", true},
    {FORM_RESOLVER, "127.0.0.1@5353", true},
    {FORM_RESOLVER, "::1@53", true},
    {FORM_RESOLVER, "127.0.0.1:53", false},
    {FORM_RESOLVER, "127.0.0.1@0", false},
    {FORM_RESOLVER, "127.0.0.1@65536", false},
    {FORM_RESOLVER, "system", true},
    {FORM_RESOLVER, "root", true},
    {FORM_RESOLVER, "127.0.0.1@", false},
    {FORM_RESOLVER, "dns.example@53", false},
    {FORM_LOGIN, "alice", true},
    {FORM_LOGIN, "alice@example.com", true},
    {FORM_LOGIN, "", false},
    {FORM_LOGIN, "a b", false},
    {FORM_LOGIN, "a@b@", false},
    {FORM_SECRET, "x", true},
    {FORM_SECRET, "", false},
    {FORM_SECRET, "file:/x", true},
    {FORM_SECRET, "file:x", false},
    {FORM_SECRET, "credential:x", true},
    {FORM_SECRET, "credential:", false},
    {FORM_SECRET, "credential:../x", false},
};

Test(value, forms)
{
	for (size_t i = 0; i < sizeof form_cases / sizeof form_cases[0]; i++)
		cr_expect_eq(value_form(form_cases[i].form, str_of(form_cases[i].text)) == NULL,
		    form_cases[i].fits, "form %d: %s", (int)form_cases[i].form, form_cases[i].text);
}
