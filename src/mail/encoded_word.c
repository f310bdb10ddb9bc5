/*
 * encoded_word: the table has only character sets in which an octet below 128 is always that ASCII
 * character, or in which a simple scan can decide. UTF-7, UTF-16, HZ, ISO-2022-KR and all others
 * are refused: in them, any ASCII text, also a line end, can be written with other octets.
 */
#include "mail/encoded_word.h"

#include "base/encode.h"

/* How the octets of a character set form characters. */
enum charset_form {
	FORM_UTF8,
	FORM_SINGLE,   /* one octet for each character; ASCII below 128 */
	FORM_ISO_8859, /* the same, and 0x85 is NEXT LINE */
	FORM_EUC,      /* two octets above 0xa0 */
	FORM_WIDE,     /* an octet above 0x80, then one from 0x40 on */
	FORM_SHIFTED,  /* the same, but 0xa0 to 0xdf are characters of one octet */
	FORM_GB18030,  /* FORM_WIDE, and four octets: an octet above 0x80 and a digit, twice */
	FORM_ESCAPED,  /* ISO-2022-JP: escape sequences select the character set */
};

/* Pairs of octets, each a range of first octets with which 0x40 ("@" in ASCII) forms one character.
 * After other octets readers show it as "@". */
#define BIG5_AT "\xa1\xa1\xa3\xc7\xc9\xf9"
#define GBK_AT "\x81\xa0\xa8\xfe"
#define JIS_AT "\x81\x81\x83\x84\x89\x9f\xe0\xea"
#define CP932_AT JIS_AT "\x87\x87\xed\xee"

struct encoded_word_charset {
	const char *name; /* '#' matches one digit, or two at the end */
	enum charset_form form;
	const char *at; /* ..._AT; NULL: none */
};

static const struct encoded_word_charset charsets[] = {
    {"utf-8", FORM_UTF8, NULL},
    {"utf8", FORM_UTF8, NULL},
    {"us-ascii", FORM_SINGLE, NULL},
    {"ascii", FORM_SINGLE, NULL},
    {"iso-8859-#", FORM_ISO_8859, NULL},
    {"iso8859-#", FORM_ISO_8859, NULL},
    {"latin1", FORM_ISO_8859, NULL},
    {"latin-1", FORM_ISO_8859, NULL},
    {"windows-125#", FORM_SINGLE, NULL},
    {"cp125#", FORM_SINGLE, NULL},
    {"windows-874", FORM_SINGLE, NULL},
    {"tis-620", FORM_ISO_8859, NULL},
    {"koi8-r", FORM_SINGLE, NULL},
    {"koi8-u", FORM_SINGLE, NULL},
    {"macintosh", FORM_SINGLE, NULL},
    {"gb2312", FORM_EUC, NULL},
    {"euc-kr", FORM_EUC, NULL},
    {"ks_c_5601-1987", FORM_EUC, NULL},
    {"euc-jp", FORM_EUC, NULL},
    {"gbk", FORM_WIDE, GBK_AT},
    {"cp936", FORM_WIDE, GBK_AT},
    {"gb18030", FORM_GB18030, GBK_AT},
    {"big5", FORM_WIDE, BIG5_AT},
    {"big5-hkscs", FORM_WIDE, BIG5_AT},
    {"cp949", FORM_WIDE, NULL},
    {"windows-949", FORM_WIDE, NULL},
    {"shift_jis", FORM_SHIFTED, JIS_AT},
    {"cp932", FORM_SHIFTED, CP932_AT},
    {"windows-31j", FORM_SHIFTED, CP932_AT},
    {"iso-2022-jp", FORM_ESCAPED, NULL},
};
enum { CHARSETS = sizeof charsets / sizeof *charsets };

#define UNKNOWN_CHARACTER STR("\xef\xbf\xbd")

static bool
charset_matches(struct str name, const char *pattern)
{
	size_t n = strlen(pattern);

	if (pattern[n - 1] != '#')
		return str_ieq(name, str_of(pattern));
	if (!str_istarts(name, str_make(pattern, n - 1)))
		return false;
	name = str_from(name, n - 1);
	return (name.n == 1 || name.n == 2) && char_is_digit(name.p[0]) &&
	       char_is_digit(name.p[name.n - 1]);
}

/* A language may follow the name after a "*" (RFC 2231 section 5). */
static const struct encoded_word_charset *
charset_of(struct str name)
{
	name = str_upto(name, str_find(name, '*'));
	for (size_t i = 0; i < CHARSETS; i++)
		if (charset_matches(name, charsets[i].name))
			return &charsets[i];
	return NULL;
}

/* ---- B and Q ---- */

static int
encoded_word_hex(char c)
{
	if (char_is_digit(c))
		return c - '0';
	c = char_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A "=" without two hexadecimal digits after it is unchanged, as in most readers. */
static void
encoded_word_decode_q(struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++) {
		int high = i + 2 < text.n ? encoded_word_hex(text.p[i + 1]) : -1;
		int low = i + 2 < text.n ? encoded_word_hex(text.p[i + 2]) : -1;

		if (text.p[i] == '=' && high >= 0 && low >= 0) {
			buf_addc(out, (char)(high * 16 + low));
			i += 2;
		} else {
			buf_addc(out, text.p[i] == '_' ? ' ' : text.p[i]);
		}
	}
}

/* ---- character sets ---- */

static bool
charset_is_lead(unsigned char c, enum charset_form form)
{
	if (form == FORM_SHIFTED && c >= 0xa0 && c < 0xe0)
		return false;
	return c > 0x80;
}

static bool
charset_has_at(const struct encoded_word_charset *set, unsigned char lead)
{
	for (const char *r = set->at; r && *r; r += 2)
		if (lead >= (unsigned char)r[0] && lead <= (unsigned char)r[1])
			return true;
	return false;
}

/* Octets of the character whose first one is above 0x7f; 1: a character of one octet. */
static size_t
charset_wide_octets(const struct encoded_word_charset *set, struct str in)
{
	unsigned char lead = (unsigned char)in.p[0], next;

	if (in.n < 2 || !charset_is_lead(lead, set->form))
		return 1;
	next = (unsigned char)in.p[1];
	if (set->form == FORM_GB18030 && char_is_digit(in.p[1]))
		return in.n >= 4 && (unsigned char)in.p[2] > 0x80 && char_is_digit(in.p[3]) ? 4 : 1;
	if (next == '@')
		return charset_has_at(set, lead) ? 2 : 1;
	return next >= (set->form == FORM_EUC ? 0xa1 : 0x40) ? 2 : 1;
}

/* GB 18030: U+0080 to U+009F, U+2028 and U+2029 have four octets. */
static bool
charset_is_line_end(struct str four)
{
	return (str_starts(four, STR("\x81\x30")) && (unsigned char)four.p[2] <= 0x84) ||
	       str_starts(four, STR("\x81\x36\xa6\x35")) ||
	       str_starts(four, STR("\x81\x36\xa6\x36"));
}

/* False: it contains a line end. */
static bool
charset_show_wide(struct str in, const struct encoded_word_charset *set, struct buf *out)
{
	size_t n;

	for (; in.n; in = str_from(in, n)) {
		n = in.p[0] & 0x80 ? charset_wide_octets(set, in) : 1;
		if (n == 4 && charset_is_line_end(str_upto(in, 4)))
			return false;
		buf_adds(out, in.p[0] & 0x80 ? UNKNOWN_CHARACTER : str_upto(in, 1));
	}
	return true;
}

/* ISO-2022-JP. False: an escape sequence or an octet that does not belong to it; so are those of
 * half-width katakana (RFC 1468), whose octets readers show as ASCII. */
static bool
charset_show_escaped(struct str in, struct buf *out)
{
	bool is_pairs = false;

	while (in.n) {
		bool is_wide = is_pairs && in.p[0] > 0x20;

		if (str_starts(in, STR("\x1b(B")) || str_starts(in, STR("\x1b(J")))
			is_pairs = false;
		else if (str_starts(in, STR("\x1b$B")) || str_starts(in, STR("\x1b$@")))
			is_pairs = true;
		else if (in.p[0] == '\x1b' || (in.p[0] & 0x80) || (is_wide && in.n < 2) ||
		         (is_wide && in.p[1] <= 0x20))
			return false;
		else
			buf_adds(out, is_wide ? UNKNOWN_CHARACTER : str_upto(in, 1));
		in = str_from(in, in.p[0] == '\x1b' ? 3 : is_wide ? 2 : 1);
	}
	return true;
}

static void
charset_show_single(struct str in, struct buf *out)
{
	for (size_t i = 0; i < in.n; i++)
		buf_adds(out, in.p[i] & 0x80 ? UNKNOWN_CHARACTER : str_make(in.p + i, 1));
}

static const char *
charset_show(struct str in, const struct encoded_word_charset *set, struct buf *out)
{
	switch (set->form) {
	case FORM_UTF8:
		buf_adds(out, in);
		break;
	case FORM_ESCAPED:
		if (!charset_show_escaped(in, out))
			return "an encoded word with unknown escape sequences";
		break;
	case FORM_ISO_8859:
		if (str_has(in, '\x85'))
			return "an encoded word that hides a line end";
		charset_show_single(in, out);
		break;
	case FORM_SINGLE:
		charset_show_single(in, out);
		break;
	default:
		if (!charset_show_wide(in, set, out))
			return "an encoded word that hides a line end";
	}
	return NULL;
}

/* ---- the word ---- */

/* Octets of "=?charset?B?text?=" at the front of s; 0: there is no complete one. */
static size_t
encoded_word_divide(struct str s, struct str *charset_out, char *encoding_out, struct str *text_out)
{
	size_t begin, end = 2;
	const char *found;

	end += str_find(str_from(s, 2), '?');
	*charset_out = str_make(s.p + 2, end - 2);
	begin = end + 3;
	if (begin > s.n || s.p[end + 2] != '?')
		return 0;
	*encoding_out = char_lower(s.p[end + 1]);
	found = memmem(s.p + begin, s.n - begin, "?=", 2);
	if (!found || (*encoding_out != 'b' && *encoding_out != 'q'))
		return 0;
	*text_out = str_make(s.p + begin, (size_t)(found - s.p) - begin);
	end = begin + text_out->n + 2;
	/* "=?a?q?b?=?c?q?d?=": programs differ in which of the two they find */
	return end < s.n && s.p[end] == '?' ? 0 : end;
}

bool
encoded_word_is(struct str s)
{
	struct str charset, text;
	char encoding;

	return str_starts(s, STR("=?")) && str_is_ascii(s) &&
	       encoded_word_divide(s, &charset, &encoding, &text) == s.n;
}

const char *
encoded_word_take(struct str *rest, struct buf *out)
{
	struct str charset, text;
	const struct encoded_word_charset *set;
	const char *why = NULL;
	struct buf plain;
	char encoding;
	size_t n = encoded_word_divide(*rest, &charset, &encoding, &text);

	if (n == 0)
		return "an encoded word that is not whole";
	set = charset_of(charset);
	if (!set)
		return "an encoded word in a character set that cannot be checked";
	buf_init(&plain, text.n + 1);
	if (encoding == 'q')
		encoded_word_decode_q(text, &plain);
	else if (!decode_base64(&plain, text))
		why = "an encoded word that is not base64";
	if (!why)
		why = charset_show(buf_str(&plain), set, out);
	buf_clear(&plain);
	if (!why)
		*rest = str_from(*rest, n);
	return why;
}
