/*
 * smtp_status: every text is made printable when the status is made, whoever wrote it: one line, no
 * control characters, no malformed UTF-8, cut between characters. No later check is needed.
 */
#include "mail/smtp_status.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/error_text.h"
#include "base/fsio.h"

enum { FORMAT_BYTES = 1024 };

/* Length of the printable character at the front of s; 0: not printable. */
static size_t
printable_bytes(struct str s)
{
	unsigned char c = (unsigned char)s.p[0];

	if (c < 0x80)
		return c >= 0x20 && c < 0x7f;
	for (size_t n = 2; n <= 4 && n <= s.n; n++)
		if (str_is_utf8(str_upto(s, n)))
			/* U+0080..U+009F control terminals as ESC does */
			return n == 2 && c == 0xc2 && (unsigned char)s.p[1] < 0xa0 ? 0 : n;
	return 0;
}

static void
smtp_status_set_text(struct smtp_status *s, struct str text)
{
	size_t n = 0;

	while (text.n) {
		size_t step = printable_bytes(text);

		if (n + (step ? step : 1) >= sizeof s->text)
			break;
		if (step)
			memcpy(s->text + n, text.p, step);
		else
			s->text[n] = text.p[0] == '\t' ? ' ' : '?';
		n += step ? step : 1;
		text = str_from(text, step ? step : 1);
	}
	s->text[n] = '\0';
}

/* 1*3DIGIT at the front of *rest. */
static bool
take_enhanced_number(struct str *rest, uint16_t *out)
{
	uint64_t v;
	size_t n = 0;

	while (n < rest->n && char_is_digit(rest->p[n]))
		n++;
	if (n > 3 || !str_u64(str_upto(*rest, n), &v))
		return false;
	*out = (uint16_t)v;
	*rest = str_from(*rest, n);
	return true;
}

static bool
take_enhanced_dot(struct str *rest)
{
	if (!str_starts(*rest, STR(".")))
		return false;
	*rest = str_from(*rest, 1);
	return true;
}

/* RFC 3463 section 2, followed by a blank or the end; the class must be the reply code's. */
static bool
take_enhanced_code(struct smtp_status *s, struct str *rest)
{
	struct str in = *rest;
	uint16_t class, subject, detail;

	if (!take_enhanced_number(&in, &class) || !take_enhanced_dot(&in) ||
	    !take_enhanced_number(&in, &subject) || !take_enhanced_dot(&in) ||
	    !take_enhanced_number(&in, &detail))
		return false;
	if ((in.n && in.p[0] != ' ') || class != s->code / 100 || class == 3)
		return false;
	s->class = (uint8_t)class;
	s->subject = subject;
	s->detail = detail;
	*rest = str_from(in, 1);
	return true;
}

struct smtp_status
smtp_status_make(unsigned code, const char *enhanced, const char *format, ...)
{
	struct smtp_status s = {.code = (uint16_t)code};
	struct str given = str_of(enhanced);
	char text[FORMAT_BYTES];
	va_list args;

	if (given.n)
		(void)take_enhanced_code(&s, &given);
	if (!strchr(format, '%')) {
		smtp_status_set_text(&s, str_of(format));
		return s;
	}
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	smtp_status_set_text(&s, str_of(text));
	return s;
}

struct smtp_status
smtp_status_remote(unsigned code, struct str text)
{
	struct smtp_status s = {.code = 451, .is_remote = true};

	if (code >= 200 && code <= 599)
		s.code = (uint16_t)code;
	(void)take_enhanced_code(&s, &text);
	smtp_status_set_text(&s, text);
	return s;
}

void
smtp_status_reply(const struct smtp_status *s, struct buf *out)
{
	char enhanced[SMTP_STATUS_ENHANCED_BYTES];
	char code[] = {(char)('0' + s->code / 100 % 10), (char)('0' + s->code / 10 % 10),
	    (char)('0' + s->code % 10), ' '};

	buf_add(out, code, sizeof code);
	if (s->class)
		buf_addz(out, smtp_status_enhanced(s, enhanced));
	if (s->class && s->text[0])
		buf_addz(out, " ");
	buf_addz(out, s->text);
	buf_addz(out, "\r\n");
}

/* At most three digits. */
static char *
add_enhanced_part(char *to, unsigned value)
{
	if (value >= 100)
		*to++ = (char)('0' + value / 100 % 10);
	if (value >= 10)
		*to++ = (char)('0' + value / 10 % 10);
	*to++ = (char)('0' + value % 10);
	return to;
}

char *
smtp_status_enhanced(const struct smtp_status *s, char out[SMTP_STATUS_ENHANCED_BYTES])
{
	unsigned class = s->class;
	char *to;

	if (class == 0)
		class = s->code >= 500 ? 5 : smtp_status_is_ok(s) ? 2 : 4;
	to = add_enhanced_part(out, class);
	*to++ = '.';
	to = add_enhanced_part(to, s->class ? s->subject : 0);
	*to++ = '.';
	to = add_enhanced_part(to, s->class ? s->detail : 0);
	*to = '\0';
	return out;
}

struct smtp_status
smtp_status_no_room(uint64_t bytes)
{
	if (bytes == 0)
		return smtp_status_make(
		    452, "4.3.1", "Insufficient system storage, try again later");
	return smtp_status_make(452, "4.3.1",
	    "Insufficient system storage for a message of %llu bytes, try again later",
	    (unsigned long long)bytes);
}

struct smtp_status
smtp_status_not_stored(int error)
{
	if (fsio_is_full(error))
		return smtp_status_no_room(0);
	if (error_text_is_descriptors(error))
		return smtp_status_no_descriptors();
	return smtp_status_make(451, "4.3.0", "The message could not be stored, try again later");
}

struct smtp_status
smtp_status_no_descriptors(void)
{
	return smtp_status_make(
	    451, "4.3.5", "Too many files are open in this system, try again later");
}

bool
smtp_status_is_no_descriptors(const struct smtp_status *s)
{
	return !s->is_remote && s->code == 451 && s->subject == 3 && s->detail == 5;
}

/* ---- after the final dot ---- */

static const char may_have_arrived[] =
    "connection lost after the message was sent; it may have arrived";

struct smtp_status
smtp_status_may_have_arrived(void)
{
	return smtp_status_make(451, "4.4.2", "%s", may_have_arrived);
}

bool
smtp_status_is_may_have_arrived(const struct smtp_status *s)
{
	return !s->is_remote && str_eq(str_of(s->text), str_of(may_have_arrived));
}
