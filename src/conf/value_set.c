/*
 * value_set: stores and prints the values of keys, by type.
 */
#include <inttypes.h>
#include <string.h>

#include "conf/value.h"

static void *
value_address(const struct conf_key *k, void *base)
{
	return (char *)base + k->offset;
}

static const void *
value_address_const(const struct conf_key *k, const void *base)
{
	return (const char *)base + k->offset;
}

/* Writes the error: what is expected instead of "…", with an example. */
static bool
refuse_value(const struct conf_key *k, struct str text, const char *what, struct buf *why)
{
	buf_addf(why, "\"%.*s\" is not %s", STR_ARG(str_upto(text, 100)), what);
	if (conf_key_example(k))
		buf_addf(why, ", for example %s", conf_key_example(k));
	return false;
}

static void
list_words(const struct conf_key *k, struct buf *why)
{
	for (size_t i = 0; k->words[i]; i++)
		buf_addf(why, "%s\"%s\"", i ? ", " : "", k->words[i]);
}

static bool
find_word(const struct conf_key *k, struct str text, int64_t *out, struct buf *why)
{
	for (size_t i = 0; k->words[i]; i++) {
		if (str_eq(text, str_of(k->words[i]))) {
			*out = (int64_t)i;
			return true;
		}
	}
	buf_addf(why, "\"%.*s\" is not one of ", STR_ARG(str_upto(text, 100)));
	list_words(k, why);
	return false;
}

static void
value_print_bound(const struct conf_key *k, int64_t n, struct buf *out)
{
	if (k->type == KEY_DURATION)
		value_print_duration(n, out);
	else if (k->type == KEY_SIZE)
		value_print_size((uint64_t)n, out);
	else
		buf_addf(out, "%" PRId64 "%s", n, k->type == KEY_PERCENT ? "%" : "");
}

/* For numbers and types that are stored as numbers. */
static bool
store_number(const struct conf_key *k, int64_t n, void *base, struct buf *why)
{
	if (n < k->min || n > k->max) {
		buf_addz(why, "must lie between ");
		value_print_bound(k, k->min, why);
		buf_addz(why, " and ");
		value_print_bound(k, k->max, why);
		return false;
	}
	if (k->type == KEY_SIZE)
		*(uint64_t *)value_address(k, base) = (uint64_t)n;
	else
		*(int64_t *)value_address(k, base) = n;
	return true;
}

static bool
set_rates(
    const struct conf_key *k, struct str text, void *base, struct arena *arena, struct buf *why)
{
	struct conf_rate rates[VALUE_RATES_MAX], *copy;
	struct str rest = text, part;
	size_t n = 0;

	while (str_split(&rest, ',', &part)) {
		if (n == VALUE_RATES_MAX || !value_rate(part, k->unit, &rates[n]))
			return refuse_value(
			    k, text, "a rate: a count, a slash and a period with its unit", why);
		n++;
	}
	copy = ARENA_ARRAY(arena, struct conf_rate, n);
	memcpy(copy, rates, n * sizeof *copy);
	*(struct conf_rates *)value_address(k, base) = (struct conf_rates){copy, n};
	return true;
}

static bool
set_log(const struct conf_key *k, struct str text, void *base, struct arena *arena, struct buf *why)
{
	struct str *file = (struct str *)((char *)value_address(k, base) + sizeof(int64_t));
	int64_t target;

	*file = STR_NULL;
	if (str_starts(text, STR("file:"))) {
		if (value_form(FORM_PATH, str_from(text, 5)))
			return refuse_value(k, text, "file: and an absolute path", why);
		*file = arena_str(arena, str_from(text, 5));
		target = CONF_LOG_FILE;
	} else if (str_eq(text, STR("file"))) {
		return refuse_value(k, text, "file: and an absolute path", why);
	} else if (!find_word(k, text, &target, why)) {
		return false;
	}
	*(int64_t *)value_address(k, base) = target;
	return true;
}

static bool
set_text_value(
    const struct conf_key *k, struct str text, void *base, struct arena *arena, struct buf *why)
{
	const char *expected = value_form(k->form, text);
	bool is_name = k->form == FORM_HOSTNAME || k->form == FORM_DOMAIN ||
	               k->form == FORM_TO_DOMAIN || k->form == FORM_HOST;

	/* an empty text resets an optional key to "not set" */
	if (expected && (text.n || (k->flags & KEY_REQUIRED)))
		return refuse_value(k, text, expected, why);
	*(struct str *)value_address(k, base) =
	    is_name ? arena_lower(arena, text) : arena_str(arena, text);
	return true;
}

bool
value_set(
    const struct conf_key *k, struct str text, void *base, struct arena *arena, struct buf *why)
{
	uint64_t bytes;
	int64_t n;

	switch (k->type) {
	case KEY_TEXT:
		return set_text_value(k, text, base, arena, why);
	case KEY_WORD:
		return find_word(k, text, (int64_t *)value_address(k, base), why);
	case KEY_LOG:
		return set_log(k, text, base, arena, why);
	case KEY_RATES:
		return set_rates(k, text, base, arena, why);
	case KEY_RATE:
		return value_rate(text, k->unit, value_address(k, base)) ||
		       refuse_value(
		           k, text, "a rate: a count, a slash and a period with its unit", why);
	case KEY_DURATION:
		if (!value_duration(text, &n))
			return refuse_value(
			    k, text, "a duration: a number and a unit (ms, s, m, h, d)", why);
		return store_number(k, n, base, why);
	case KEY_SIZE:
		if (!value_size(text, &bytes))
			return refuse_value(k, text,
			    "a size: a number and a unit of one letter (B, k, M, G; 1k is 1024B)",
			    why);
		return store_number(k, (int64_t)bytes, base, why);
	case KEY_PERCENT:
		if (!value_percent(text, &n))
			return refuse_value(k, text, "a percentage", why);
		return store_number(k, n, base, why);
	default:
		return refuse_value(k, text, conf_key_type_name(k), why);
	}
}

bool
value_set_number(const struct conf_key *k, int64_t number, void *base, struct buf *why)
{
	return store_number(k, number, base, why);
}

static void
print_texts(const struct conf_strs *texts, struct buf *out)
{
	buf_addz(out, "( ");
	for (size_t i = 0; i < texts->count; i++) {
		buf_addz(out, i ? ", " : "");
		value_print_text(texts->str[i], out);
	}
	buf_addz(out, texts->count ? " )" : ")");
}

static void
print_durations(const struct conf_key *k, const void *base, struct buf *out)
{
	struct conf_key_span span;
	const int64_t *ms;

	memcpy(&span, value_address_const(k, base), sizeof span);
	ms = span.p;
	buf_addz(out, "[ ");
	for (size_t i = 0; i < span.n; i++) {
		buf_addz(out, i ? ", \"" : "\"");
		value_print_duration(ms[i], out);
		buf_addc(out, '"');
	}
	buf_addz(out, " ]");
}

static void
print_rates(const struct conf_key *k, const struct conf_rates *rates, struct buf *out)
{
	for (size_t i = 0; i < rates->count; i++) {
		buf_addz(out, i ? ", " : "");
		value_print_rate(&rates->rate[i], k->unit, out);
	}
}

static void
print_log(const struct conf_key *k, const void *base, struct buf *out)
{
	int64_t target = *(const int64_t *)value_address_const(k, base);
	const char *after = (const char *)value_address_const(k, base) + sizeof target;
	const struct str *file = (const struct str *)after;

	if (target == CONF_LOG_FILE)
		buf_addz(out, "file:");
	buf_adds(out, target == CONF_LOG_FILE ? *file : str_of(k->words[target]));
}

/* Values that are written in double quotes. */
static void
print_quoted(const struct conf_key *k, const void *base, struct buf *out)
{
	const void *at = value_address_const(k, base);
	struct buf text;

	buf_init(&text, 1 << 16);
	if (k->type == KEY_WORD)
		buf_addz(&text, k->words[*(const int64_t *)at]);
	else if (k->type == KEY_DURATION)
		value_print_duration(*(const int64_t *)at, &text);
	else if (k->type == KEY_SIZE)
		value_print_size(*(const uint64_t *)at, &text);
	else if (k->type == KEY_PERCENT)
		buf_addf(&text, "%" PRId64 "%%", *(const int64_t *)at);
	else if (k->type == KEY_RATE)
		value_print_rate(at, k->unit, &text);
	else if (k->type == KEY_RATES)
		print_rates(k, at, &text);
	else
		print_log(k, base, &text);
	value_print_text(buf_str(&text), out);
	buf_clear(&text);
}

void
value_print(const struct conf_key *k, const void *base, struct buf *out)
{
	const void *at = value_address_const(k, base);

	switch (k->type) {
	case KEY_TEXT:
		value_print_text(*(const struct str *)at, out);
		break;
	case KEY_NUMBER:
		buf_addf(out, "%" PRId64, *(const int64_t *)at);
		break;
	case KEY_SWITCH:
		buf_addz(out, *(const bool *)at ? "true" : "false");
		break;
	case KEY_TEXTS:
		print_texts(at, out);
		break;
	case KEY_DURATIONS:
		print_durations(k, base, out);
		break;
	case KEY_LIST:
		buf_addf(out, "%zu groups", ((const struct conf_key_span *)at)->n);
		break;
	default:
		print_quoted(k, base, out);
		break;
	}
}
