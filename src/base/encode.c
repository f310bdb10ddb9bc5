/*
 * encode: a failed decode restores the length of the output. An encoder goes on when the output is
 * full, and asks the buffer at the end. A word of a shell command stays without quotes only when
 * all its characters are in a list of harmless ones: what is not known is quoted.
 */
#include "base/encode.h"

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char hex[] = "0123456789ABCDEF";

bool
encode_base64(struct buf *out, struct str in)
{
	const unsigned char *p = (const unsigned char *)in.p;

	for (size_t i = 0; i < in.n; i += 3) {
		size_t left = in.n - i;
		unsigned v = (unsigned)p[i] << 16 | (left > 1 ? (unsigned)p[i + 1] << 8 : 0) |
		    (left > 2 ? p[i + 2] : 0);
		char q[4] = {base64[v >> 18], base64[v >> 12 & 63],
		    left > 1 ? base64[v >> 6 & 63] : '=', left > 2 ? base64[v & 63] : '='};
		buf_add(out, q, 4);
	}
	return buf_ok(out);
}

static int
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (char_is_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes four characters to one, two or three bytes; 0 if they are not canonical. */
static size_t
base64_group(const char *q, bool last, char bytes[3])
{
	int v[4];
	size_t n = 3;

	for (int i = 0; i < 4; i++)
		v[i] = base64_value(q[i]);
	if (last && q[3] == '=') {
		n = q[2] == '=' ? 1 : 2;
		v[3] = 0;
		if (n == 1)
			v[2] = 0;
	}
	if ((v[0] | v[1] | v[2] | v[3]) < 0)
		return 0;
	if ((n == 1 && (v[1] & 15)) || (n == 2 && (v[2] & 3)))
		return 0;
	bytes[0] = (char)(v[0] << 2 | v[1] >> 4);
	bytes[1] = (char)(v[1] << 4 | v[2] >> 2);
	bytes[2] = (char)(v[2] << 6 | v[3]);
	return n;
}

bool
decode_base64(struct buf *out, struct str in)
{
	size_t start = out->n;

	if (in.n % 4)
		return false;
	for (size_t i = 0; i < in.n; i += 4) {
		char bytes[3];
		size_t n = base64_group(in.p + i, i + 4 == in.n, bytes);

		if (n == 0 || !buf_add(out, bytes, n)) {
			out->n = start;
			return false;
		}
	}
	return true;
}

bool
encode_hex(struct buf *out, struct str in)
{
	for (size_t i = 0; i < in.n; i++) {
		unsigned char c = (unsigned char)in.p[i];

		buf_addc(out, hex[c >> 4]);
		buf_addc(out, hex[c & 15]);
	}
	return buf_ok(out);
}

static int
hex_value(char c)
{
	if (char_is_digit(c))
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
is_xchar(char c)
{
	return c >= 33 && c <= 126 && c != '+' && c != '=';
}

/* The length of one xtext character at the start of in (1 or 3); 0 if malformed. */
static size_t
xtext_char(struct str in, char *out)
{
	int high, low;

	if (in.p[0] != '+') {
		*out = in.p[0];
		return is_xchar(in.p[0]) ? 1 : 0;
	}
	/* hexchar is upper case only */
	if (in.n < 3 || in.p[1] > 'F' || in.p[2] > 'F')
		return 0;
	high = hex_value(in.p[1]);
	low = hex_value(in.p[2]);
	if ((high | low) < 0)
		return 0;
	*out = (char)(high << 4 | low);
	return 3;
}

bool
decode_xtext(struct buf *out, struct str in)
{
	size_t start = out->n;

	for (size_t i = 0, step; i < in.n; i += step) {
		char c = 0;

		step = xtext_char(str_from(in, i), &c);
		if (step == 0 || !buf_addc(out, c)) {
			out->n = start;
			return false;
		}
	}
	return true;
}

static bool
is_plain_word(struct str s)
{
	static const char plain[] = "%+,-./:@_";

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!char_is_alpha(c) && !char_is_digit(c) && !memchr(plain, c, sizeof plain - 1))
			return false;
	}
	return s.n > 0;
}

bool
encode_shell_word(struct buf *out, struct str in)
{
	if (is_plain_word(in))
		return buf_adds(out, in);
	buf_addc(out, '\'');
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '\'')
			buf_addz(out, "'\\''");
		else
			buf_addc(out, in.p[i]);
	}
	return buf_addc(out, '\'');
}
