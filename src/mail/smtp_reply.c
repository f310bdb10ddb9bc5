/*
 * smtp_reply: lines are collected in a fixed buffer and checked one by one; the limits hold however
 * the stream is divided. Accepted: LF alone at the end of a line, second digits above 5, no text at
 * all, any byte in a text (smtp_reply_status makes it printable), and the obsolete "AUTH=" of EHLO.
 */
#include "mail/smtp_reply.h"

void
smtp_reply_init(struct smtp_reply *r, struct smtp_extensions *extensions)
{
	r->code = 0;
	r->is_done = false;
	r->is_bad = false;
	r->bytes = 0;
	r->lines = 0;
	r->line_bytes = 0;
	r->is_line_cut = false;
	r->extensions = extensions;
	buf_init(&r->text, SMTP_REPLY_TEXT_MAX);
	if (extensions)
		*extensions = (struct smtp_extensions){0};
}

void
smtp_reply_clear(struct smtp_reply *r)
{
	buf_clear(&r->text);
}

/* ---- extensions ---- */

static bool
is_ehlo_mechanism(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!char_is_alpha(s.p[i]) && !char_is_digit(s.p[i]) && s.p[i] != '-' &&
		    s.p[i] != '_')
			return false;
	return s.n > 0 && s.n <= 20;
}

static void
add_mechanism(struct smtp_extensions *x, struct str name)
{
	size_t n = strlen(x->auth);
	char word[24] = " ";

	if (!is_ehlo_mechanism(name) || n + name.n + 3 > sizeof x->auth)
		return;
	for (size_t i = 0; i < name.n; i++)
		word[i + 1] = (char)(char_is_alpha(name.p[i]) ? name.p[i] & ~32 : name.p[i]);
	word[name.n + 1] = ' ';
	if (n && strstr(x->auth, word))
		return;
	memcpy(x->auth + (n ? n - 1 : 0), word, name.n + 3);
}

static void
add_auth_extension(struct smtp_extensions *x, struct str mechanisms)
{
	struct str name;

	while (str_split(&mechanisms, ' ', &name))
		add_mechanism(x, name);
	x->has |= EXT_AUTH;
}

static void
add_size_extension(struct smtp_extensions *x, struct str value)
{
	uint64_t size;

	/* a value that is no number gives no limit */
	x->size = str_u64(str_trim(value), &size) ? size : 0;
}

/* One line of an EHLO reply: keyword and parameters. */
static void
add_extension(struct smtp_extensions *x, struct str line)
{
	static const struct {
		const char *name;
		enum smtp_extension bit;
	} keywords[] = {{"PIPELINING", EXT_PIPELINING}, {"SIZE", EXT_SIZE},
		{"8BITMIME", EXT_8BITMIME}, {"SMTPUTF8", EXT_SMTPUTF8}, {"DSN", EXT_DSN},
		{"CHUNKING", EXT_CHUNKING}, {"STARTTLS", EXT_STARTTLS},
		{"ENHANCEDSTATUSCODES", EXT_ENHANCEDSTATUSCODES}};
	size_t at = str_find(line, ' ');
	struct str key = str_upto(line, at), value = str_from(line, at + 1);

	if (str_ieq(key, STR("AUTH")) || str_istarts(line, STR("AUTH=")))
		add_auth_extension(x, str_from(line, 5));
	for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
		if (str_ieq(key, str_of(keywords[i].name)))
			x->has |= keywords[i].bit;
	if (str_ieq(key, STR("SIZE")))
		add_size_extension(x, value);
}

/* ---- lines ---- */

/* "5.1.1" at the front of each line of a reply is stored once. */
static struct str
without_repeated_code(const struct smtp_reply *r, struct str text)
{
	struct str text_so_far = buf_str(&r->text);
	size_t n = str_find(text, ' ');

	if (n == 0 || !char_is_digit(text.p[0]) || !str_has(str_upto(text, n), '.'))
		return text;
	if (!str_eq(str_upto(text_so_far, n), str_upto(text, n)) ||
	    (text_so_far.n > n && text_so_far.p[n] != ' '))
		return text;
	return str_from(text, n + 1);
}

static void
smtp_reply_add_text(struct smtp_reply *r, struct str text)
{
	if (r->lines > 1)
		text = without_repeated_code(r, text);
	if (text.n == 0 || r->text.n + 1 >= SMTP_REPLY_TEXT_MAX)
		return;
	if (r->text.n)
		buf_addc(&r->text, ' ');
	buf_adds(&r->text, str_upto(text, SMTP_REPLY_TEXT_MAX - r->text.n));
}

/* "250-text", "250 text" or "250". */
static bool
smtp_reply_take_line(struct smtp_reply *r, struct str line)
{
	struct str text = str_from(line, 4);
	uint64_t code;

	if (!str_u64(str_upto(line, 3), &code) || code < 200 || code > 599)
		return false;
	if (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-')
		return false;
	if (r->lines && code != r->code)
		return false;
	r->lines++;
	r->code = (uint16_t)code;
	r->is_done = line.n == 3 || line.p[3] == ' ';
	if (r->extensions && r->lines > 1)
		add_extension(r->extensions, text);
	smtp_reply_add_text(r, text);
	return true;
}

/* The line without its line end; of a long line, the part that there was room for. */
static struct str
whole_line(const struct smtp_reply *r)
{
	size_t n = r->line_bytes;

	if (!r->is_line_cut)
		n--;
	if (!r->is_line_cut && n && r->line[n - 1] == '\r')
		n--;
	return str_make(r->line, n);
}

/* Takes a part of a line, with its LF if the line ends there. */
static bool
smtp_reply_take_part(struct smtp_reply *r, struct str part, bool is_end)
{
	struct str stored = str_upto(part, SMTP_REPLY_LINE_MAX - r->line_bytes);
	bool ok = true;

	if (stored.n)
		memcpy(r->line + r->line_bytes, stored.p, stored.n);
	r->line_bytes += stored.n;
	r->is_line_cut |= stored.n < part.n;
	r->bytes += part.n;
	if (is_end) {
		ok = smtp_reply_take_line(r, whole_line(r));
		r->line_bytes = 0;
		r->is_line_cut = false;
	}
	return ok && (r->is_done || r->bytes <= SMTP_REPLY_BYTES_MAX);
}

enum smtp_reply_progress
smtp_reply_take(struct smtp_reply *r, struct str in, size_t *used_out)
{
	size_t used = 0;

	while (used < in.n && !r->is_done && !r->is_bad) {
		size_t lf = used + str_find(str_from(in, used), '\n');
		bool is_end = lf < in.n;
		size_t next = is_end ? lf + 1 : in.n;

		if (!smtp_reply_take_part(r, str_make(in.p + used, next - used), is_end))
			r->is_bad = true;
		used = next;
	}
	*used_out = used;
	return r->is_bad ? SMTP_REPLY_BAD : r->is_done ? SMTP_REPLY_DONE : SMTP_REPLY_MORE;
}

struct smtp_status
smtp_reply_status(const struct smtp_reply *r)
{
	return smtp_status_remote(r->code, buf_str(&r->text));
}
