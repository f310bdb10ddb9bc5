/*
 * value: numbers with units.  Multiplication and addition check for overflow.
 */
#include "conf/value.h"

#include <inttypes.h>
#include <stdio.h>

struct value_unit {
	const char *name;
	int64_t factor;
};

static const struct value_unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {"w", 604800000}};
static const struct value_unit size_units[] = {
    {"B", 1}, {"k", 1 << 10}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}};

enum { DURATION_UNITS = 6, SIZE_UNITS = 5 };

/* Takes digits and a unit from the front. */
static bool
take_amount(struct str *rest, const struct value_unit *units, size_t unit_count, int64_t *out)
{
	size_t digits = 0, letters = 0;
	struct str name;
	uint64_t n;

	while (digits < rest->n && char_is_digit(rest->p[digits]))
		digits++;
	while (digits + letters < rest->n && char_is_alpha(rest->p[digits + letters]))
		letters++;
	name = str_upto(str_from(*rest, digits), letters);
	if (!str_u64(str_upto(*rest, digits), &n) || n > INT64_MAX)
		return false;
	for (size_t i = 0; i < unit_count; i++) {
		if (!str_eq(name, str_of(units[i].name)))
			continue;
		*rest = str_trim(str_from(*rest, digits + letters));
		return !__builtin_mul_overflow((int64_t)n, units[i].factor, out);
	}
	return false;
}

bool
value_duration(struct str text, int64_t *ms_out)
{
	struct str rest = str_trim(text);
	int64_t sum = 0, part;

	do {
		if (!take_amount(&rest, duration_units, DURATION_UNITS, &part) ||
		    __builtin_add_overflow(sum, part, &sum))
			return false;
	} while (rest.n);
	*ms_out = sum;
	return true;
}

bool
value_size(struct str text, uint64_t *bytes_out)
{
	struct str rest = str_trim(text);
	int64_t n;

	if (!take_amount(&rest, size_units, SIZE_UNITS, &n) || rest.n)
		return false;
	*bytes_out = (uint64_t)n;
	return true;
}

bool
value_percent(struct str text, int64_t *percent_out)
{
	uint64_t n;

	text = str_trim(text);
	if (text.n < 2 || text.p[text.n - 1] != '%')
		return false;
	if (!str_u64(str_trim(str_upto(text, text.n - 1)), &n) || n > 100)
		return false;
	*percent_out = (int64_t)n;
	return true;
}

bool
value_rate(struct str text, const char *unit, struct conf_rate *out)
{
	size_t slash = str_find(text, '/'), digits = 0;
	struct str count = str_trim(str_upto(text, slash)), word;
	struct conf_rate rate;

	while (digits < count.n && char_is_digit(count.p[digits]))
		digits++;
	word = str_trim(str_from(count, digits));
	if (slash == text.n || !str_u64(str_upto(count, digits), &rate.count))
		return false;
	if (word.n && !(unit && str_eq(word, str_of(unit))))
		return false;
	if (!value_duration(str_from(text, slash + 1), &rate.period_ms))
		return false;
	if (rate.count < 1 || rate.count > 100000000 || rate.period_ms < 1000 ||
	    rate.period_ms > INT64_C(366) * 86400000)
		return false;
	*out = rate;
	return true;
}

/* Writes the number in the largest unit that divides it. */
static void
print_amount(int64_t n, const struct value_unit *units, size_t unit_count, struct buf *out)
{
	size_t best = 0;

	for (size_t i = 1; i < unit_count && n; i++)
		if (n % units[i].factor == 0)
			best = i;
	buf_addf(out, "%" PRId64 "%s", n / units[best].factor, units[best].name);
}

void
value_print_duration(int64_t ms, struct buf *out)
{
	/* "5d", never "1w": weeks are accepted, but days are easier to compare; 0 is "0s" */
	if (ms == 0)
		buf_addz(out, "0s");
	else
		print_amount(ms, duration_units, DURATION_UNITS - 1, out);
}

void
value_print_size(uint64_t bytes, struct buf *out)
{
	print_amount((int64_t)bytes, size_units, SIZE_UNITS, out);
}

void
value_print_rate(const struct conf_rate *rate, const char *unit, struct buf *out)
{
	buf_addf(out, "%" PRIu64 "%s%s / ", rate->count, unit ? " " : "", unit ? unit : "");
	value_print_duration(rate->period_ms, out);
}

void
value_print_text(struct str text, struct buf *out)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			buf_addf(out, "\\x%02X", c);
		else
			buf_addc(out, (char)c);
	}
	buf_addc(out, '"');
}
