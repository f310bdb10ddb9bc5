/* Configuration values and files: parsers are total; what they accept is written and read back the
 * same. */
#include <stdlib.h>

#include "conf/json.h"
#include "conf/read.h"
#include "conf/value.h"
#include "conf/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig 1.5 loses the text that stands where a syntax error is found: once per faulty file. */
const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfig";
}

static void
check_numbers(struct str in)
{
	int64_t ms, ms_again, percent;
	uint64_t bytes, bytes_again;
	struct buf b;

	buf_init(&b, 1 << 10);
	if (value_duration(in, &ms)) {
		value_print_duration(ms, &b);
		if (!value_duration(buf_str(&b), &ms_again) || ms_again != ms || ms < 0)
			abort();
	}
	buf_reset(&b);
	if (value_size(in, &bytes)) {
		value_print_size(bytes, &b);
		if (!value_size(buf_str(&b), &bytes_again) || bytes_again != bytes)
			abort();
	}
	if (value_percent(in, &percent) && (percent < 0 || percent > 100))
		abort();
	buf_clear(&b);
}

static void
check_rate(struct str in)
{
	struct conf_rate rate, again;
	struct buf b;

	buf_init(&b, 1 << 10);
	if (value_rate(in, "recipients", &rate)) {
		value_print_rate(&rate, "recipients", &b);
		if (!value_rate(buf_str(&b), "recipients", &again) || again.count != rate.count ||
		    again.period_ms != rate.period_ms)
			abort();
	}
	buf_clear(&b);
}

static struct conf *
fuzz_read_text(struct str text)
{
	struct conf_report r;
	struct conf *c;

	conf_report_init(&r);
	c = conf_read_text(text, &r);
	if (!c && !r.errors)
		abort();
	conf_report_clear(&r);
	return c;
}

/* Texts are closed and brackets in pairs, whatever stands in the values: enough for a reader of
 * JSON not to be led astray. */
static void
check_json(struct str settings)
{
	bool is_text = false;
	long depth = 0;
	struct buf b;

	buf_init(&b, 64 << 20);
	conf_write_json(settings, &b);
	for (size_t i = 0; i < b.n; i++) {
		unsigned char c = (unsigned char)b.p[i];

		if (c < 0x20 || (!is_text && c == '\\'))
			abort();
		if (c == '\\')
			i++;
		else if (c == '"')
			is_text = !is_text;
		else if (!is_text)
			depth += (c == '{' || c == '[') - (c == '}' || c == ']');
		if (depth < 0)
			abort();
	}
	if (is_text || depth != 0 || !str_is_utf8(buf_str(&b)))
		abort();
	buf_clear(&b);
}

static void
check_file(struct str in)
{
	struct conf *c = fuzz_read_text(in), *again;
	struct buf a, b;

	if (!c)
		return;
	buf_init(&a, 64 << 20);
	buf_init(&b, 64 << 20);
	conf_write(c, CONF_ALL, false, true, &a);
	again = fuzz_read_text(buf_str(&a));
	if (!again)
		abort();
	conf_write(again, CONF_ALL, false, true, &b);
	if (!str_eq(buf_str(&a), buf_str(&b)))
		abort();
	check_json(buf_str(&a));
	buf_clear(&a);
	buf_clear(&b);
	conf_drop(&c);
	conf_drop(&again);
}

/* One value in the first line, a file in the others: so that short seeds stay fast. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_make((const char *)data, size), line = str_upto(in, str_find(in, '\n'));

	check_numbers(line);
	check_rate(line);
	for (int form = FORM_ANY; form <= FORM_SECRET; form++)
		(void)value_form((enum conf_key_form)form, line);
	if (line.n < in.n)
		check_file(str_from(in, line.n + 1));
	return 0;
}
