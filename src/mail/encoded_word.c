/*
 * encoded_word: only character sets in which an octet below 128 surely is that ASCII character, or
 * in which a small walk can tell, are known.  UTF-7, UTF-16, HZ, ISO-2022-KR and all that the table
 * does not have are refused: in them any ASCII text, also a line end, can be written in other
 * octets.
 */
#include "mail/encoded_word.h"

#include "base/encode.h"

/* How the octets of a character set are read. */
enum charset_form {
	FORM_UTF8,
	FORM_SINGLE,   /* one octet, one character; below 128 ASCII */
	FORM_ISO_8859, /* the same, and 0x85 is NEXT LINE */
	FORM_EUC,      /* two octets above 0xa0 */
	FORM_WIDE,     /* an octet above 0x80, then one from 0x40 on */
	FORM_SHIFTED,  /* the same, but 0xa0 to 0xdf stand alone */
	FORM_ESCAPED,  /* ISO-2022-JP: escape sequences say how what follows is read */
};

struct charset {
	const char *name; /* '#' stands for one digit, or for two at the end */
	enum charset_form form;
};

static const struct charset charsets[] = {
    {"utf-8", FORM_UTF8},
    {"utf8", FORM_UTF8},
    {"us-ascii", FORM_SINGLE},
    {"ascii", FORM_SINGLE},
    {"iso-8859-#", FORM_ISO_8859},
    {"iso8859-#", FORM_ISO_8859},
    {"latin1", FORM_ISO_8859},
    {"latin-1", FORM_ISO_8859},
    {"windows-125#", FORM_SINGLE},
    {"cp125#", FORM_SINGLE},
    {"windows-874", FORM_SINGLE},
    {"tis-620", FORM_SINGLE},
    {"koi8-r", FORM_SINGLE},
    {"koi8-u", FORM_SINGLE},
    {"macintosh", FORM_SINGLE},
    {"gb2312", FORM_EUC},
    {"euc-kr", FORM_EUC},
    {"ks_c_5601-1987", FORM_EUC},
    {"euc-jp", FORM_EUC},
    {"gbk", FORM_WIDE},
    {"cp936", FORM_WIDE},
    {"gb18030", FORM_WIDE},
    {"big5", FORM_WIDE},
    {"big5-hkscs", FORM_WIDE},
    {"cp949", FORM_WIDE},
    {"windows-949", FORM_WIDE},
    {"shift_jis", FORM_SHIFTED},
    {"cp932", FORM_SHIFTED},
    {"windows-31j", FORM_SHIFTED},
    {"iso-2022-jp", FORM_ESCAPED},
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

/* A language may follow the name behind a star (RFC 2231 section 5). */
static const struct charset *
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

/* An "=" that no two digits follow stays, as most readers let it. */
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

static void
charset_show_wide(struct str in, enum charset_form form, struct buf *out)
{
	unsigned char least = form == FORM_EUC ? 0xa1 : 0x40;

	for (size_t i = 0; i < in.n; i++) {
		unsigned char c = (unsigned char)in.p[i];

		if (c < 0x80) {
			buf_addc(out, in.p[i]);
			continue;
		}
		buf_adds(out, UNKNOWN_CHARACTER);
		if (charset_is_lead(c, form) && i + 1 < in.n && (unsigned char)in.p[i + 1] >= least)
			i++;
	}
}

/* ISO-2022-JP: false when an escape sequence or an octet is not of it. */
static bool
charset_show_escaped(struct str in, struct buf *out)
{
	enum { ASCII, KANA, PAIRS } now = ASCII;

	while (in.n) {
		bool is_wide = now == PAIRS && in.p[0] > 0x20;

		if (str_starts(in, STR("\x1b(B")) || str_starts(in, STR("\x1b(J")))
			now = ASCII;
		else if (str_starts(in, STR("\x1b(I")))
			now = KANA;
		else if (str_starts(in, STR("\x1b$B")) || str_starts(in, STR("\x1b$@")))
			now = PAIRS;
		else if (in.p[0] == '\x1b' || (in.p[0] & 0x80) || (is_wide && in.n < 2) ||
		         (is_wide && in.p[1] <= 0x20))
			return false;
		else
			buf_adds(out,
			    now == ASCII || in.p[0] <= 0x20 ? str_upto(in, 1) : UNKNOWN_CHARACTER);
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
charset_show(struct str in, enum charset_form form, struct buf *out)
{
	switch (form) {
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
		charset_show_wide(in, form, out);
	}
	return NULL;
}

/* ---- the word ---- */

/* Octets of "=?charset?B?text?=" at the front of s; 0: none that is whole. */
static size_t
encoded_word_divide(struct str s, struct str *charset_out, char *how_out, struct str *text_out)
{
	size_t begin, end = 2;
	const char *found;

	end += str_find(str_from(s, 2), '?');
	*charset_out = str_make(s.p + 2, end - 2);
	begin = end + 3;
	if (begin > s.n || s.p[end + 2] != '?')
		return 0;
	*how_out = char_lower(s.p[end + 1]);
	found = memmem(s.p + begin, s.n - begin, "?=", 2);
	if (!found || (*how_out != 'b' && *how_out != 'q'))
		return 0;
	*text_out = str_make(s.p + begin, (size_t)(found - s.p) - begin);
	return begin + text_out->n + 2;
}

const char *
encoded_word_take(struct str *rest, struct buf *out)
{
	struct str charset, text;
	const struct charset *known;
	const char *why = NULL;
	struct buf plain;
	char how;
	size_t n = encoded_word_divide(*rest, &charset, &how, &text);

	if (n == 0)
		return "an encoded word that is not whole";
	known = charset_of(charset);
	if (!known)
		return "an encoded word in a character set that cannot be checked";
	buf_init(&plain, text.n + 1);
	if (how == 'q')
		encoded_word_decode_q(text, &plain);
	else if (!decode_base64(&plain, text))
		why = "an encoded word that is not base64";
	if (!why)
		why = charset_show(buf_str(&plain), known->form, out);
	buf_clear(&plain);
	if (!why)
		*rest = str_from(*rest, n);
	return why;
}
