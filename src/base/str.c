/*
 * str: views of bytes; every function is total and looks at nothing beyond the given length.
 */
#include "base/str.h"

bool
str_ieq(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (char_lower(a.p[i]) != char_lower(b.p[i]))
			return false;
	return true;
}

bool
str_starts(struct str s, struct str prefix)
{
	return str_eq(str_upto(s, prefix.n), prefix);
}

bool
str_istarts(struct str s, struct str prefix)
{
	return str_ieq(str_upto(s, prefix.n), prefix);
}

bool
str_iends(struct str s, struct str suffix)
{
	return s.n >= suffix.n && str_ieq(str_from(s, s.n - suffix.n), suffix);
}

size_t
str_find(struct str s, char c)
{
	const char *at = s.n ? memchr(s.p, c, s.n) : NULL;

	return at ? (size_t)(at - s.p) : s.n;
}

size_t
str_rfind(struct str s, char c)
{
	for (size_t i = s.n; i-- > 0;)
		if (s.p[i] == c)
			return i;
	return s.n;
}

bool
str_has(struct str s, char c)
{
	return str_find(s, c) < s.n;
}

struct str
str_from(struct str s, size_t from)
{
	if (from > s.n)
		from = s.n;
	return (struct str){s.p ? s.p + from : NULL, s.n - from};
}

struct str
str_upto(struct str s, size_t n)
{
	return (struct str){s.p, n < s.n ? n : s.n};
}

static bool
char_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct str
str_trim(struct str s)
{
	while (s.n && char_is_blank(s.p[0]))
		s = str_from(s, 1);
	while (s.n && char_is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool
str_split(struct str *rest, char sep, struct str *part_out)
{
	size_t at;

	if (!rest->p)
		return false;
	at = str_find(*rest, sep);
	*part_out = str_upto(*rest, at);
	*rest = at < rest->n ? str_from(*rest, at + 1) : STR_NULL;
	return true;
}

bool
str_u64(struct str s, uint64_t *out)
{
	uint64_t v = 0;

	if (s.n == 0 || s.n > 20)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!char_is_digit(s.p[i]))
			return false;
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			return false;
	}
	*out = v;
	return true;
}

size_t
str_find_control(struct str s, size_t from)
{
	uint64_t word;
	size_t i = from;

	for (; i + sizeof word <= s.n; i += sizeof word) {
		memcpy(&word, s.p + i, sizeof word);
		/* the top bit of an octet is set when subtracting 0x20 borrows and the octet is
		 * ASCII */
		if ((word - UINT64_C(0x2020202020202020)) & ~word & UINT64_C(0x8080808080808080))
			break;
	}
	while (i < s.n && (unsigned char)s.p[i] >= 0x20)
		i++;
	return i < s.n ? i : s.n;
}

bool
str_is_ascii(struct str s)
{
	uint64_t word;
	size_t i = 0;

	for (; i + sizeof word <= s.n; i += sizeof word) {
		memcpy(&word, s.p + i, sizeof word);
		if (word & UINT64_C(0x8080808080808080))
			return false;
	}
	for (; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

/* Length of the well-formed sequence at p; 0: malformed (Unicode table 3-7). */
static size_t
utf8_sequence(const unsigned char *p, size_t n)
{
	unsigned char c = p[0], low = 0x80, high = 0xbf;
	size_t more;

	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	more = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	if (n <= more)
		return 0;
	if (c == 0xe0)
		low = 0xa0;
	else if (c == 0xed)
		high = 0x9f;
	else if (c == 0xf0)
		low = 0x90;
	else if (c == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i <= more; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return more + 1;
}

size_t
str_utf8_step(struct str s)
{
	return utf8_sequence((const unsigned char *)s.p, s.n);
}

size_t
str_utf8_character(struct str s, uint32_t *out)
{
	size_t step = str_utf8_step(s);
	uint32_t c = step ? (unsigned char)s.p[0] : 0;

	if (step > 1)
		c &= 0xffu >> (step + 1);
	for (size_t i = 1; i < step; i++)
		c = c << 6 | ((unsigned char)s.p[i] & 0x3f);
	*out = c;
	return step;
}

bool
char_is_unseen(uint32_t c)
{
	/* Unicode 15: control characters, line and paragraph separators, and format characters and
	 * letters without a glyph of their own */
	static const struct {
		uint32_t first, last;
	} unseen[] = {{0x00, 0x1f}, {0x7f, 0x9f}, {0xad, 0xad}, {0x61c, 0x61c}, {0x115f, 0x1160},
	    {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},
	    {0x3164, 0x3164}, {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xfff9, 0xfffb},
	    {0xe0000, 0xe007f}};

	if (c >= 0x20 && c < 0x7f)
		return false;
	for (size_t i = 0; i < sizeof unseen / sizeof *unseen; i++)
		if (c >= unseen[i].first && c <= unseen[i].last)
			return true;
	return false;
}

bool
str_is_utf8(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;

	for (size_t i = 0, step; i < s.n; i += step) {
		step = utf8_sequence(p + i, s.n - i);
		if (step == 0)
			return false;
	}
	return true;
}

bool
str_is_printable(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return true;
}

static size_t
str_least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Keeps one row of the table. */
size_t
str_distance(struct str a, struct str b)
{
	size_t row[STR_DISTANCE_MAX + 1];

	if (a.n > STR_DISTANCE_MAX || b.n > STR_DISTANCE_MAX)
		return STR_DISTANCE_MAX;
	for (size_t j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			bool same = char_lower(a.p[i - 1]) == char_lower(b.p[j - 1]);
			size_t up = row[j];

			row[j] = str_least(up + 1, row[j - 1] + 1, corner + !same);
			corner = up;
		}
	}
	return row[b.n];
}
