#include "support/talk.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

enum { TALK_FILE_MAX = 1 << 20, TALK_TEXT_MAX = 8 << 20, TALK_ACTS_MAX = 20000 };

static bool unescape_talk(struct str in, struct buf *out);

static int
hex_digit(char c)
{
	if (char_is_digit(c))
		return c - '0';
	c = char_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The position of the "]" that ends a repeat; repeats may contain repeats. */
static size_t
repeat_end(struct str in)
{
	unsigned depth = 0;

	for (size_t i = 0; i < in.n; i++) {
		depth += in.p[i] == '[' && (i == 0 || in.p[i - 1] == '\\');
		if (in.p[i] == ']' && --depth == 0)
			return i;
	}
	return in.n;
}

/* Expands "[N*text]"; `in` begins after the backslash.  Returns the bytes used, 0 on error. */
static size_t
unescape_repeat(struct str in, struct buf *out)
{
	size_t end = repeat_end(in), star = str_find(in, '*');
	uint64_t times;

	if (end == in.n || star >= end || !str_u64(str_make(in.p + 1, star - 1), &times))
		return 0;
	for (uint64_t i = 0; i < times && buf_ok(out); i++)
		if (!unescape_talk(str_make(in.p + star + 1, end - star - 1), out))
			return 0;
	return end + 1;
}

static size_t
unescape_one(struct str in, struct buf *out)
{
	static const char from[] = "rnt0\\", to[] = "\r\n\t\0\\";
	const char *at;

	if (in.n == 0)
		return 0;
	at = memchr(from, in.p[0], sizeof from - 1);
	if (at) {
		buf_addc(out, to[at - from]);
		return 1;
	}
	if (in.p[0] == '[')
		return unescape_repeat(in, out);
	if (in.p[0] != 'x' || in.n < 3 || hex_digit(in.p[1]) < 0 || hex_digit(in.p[2]) < 0)
		return 0;
	buf_addc(out, (char)(hex_digit(in.p[1]) << 4 | hex_digit(in.p[2])));
	return 3;
}

static bool
unescape_talk(struct str in, struct buf *out)
{
	size_t used;

	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] != '\\') {
			buf_addc(out, in.p[i]);
			continue;
		}
		used = unescape_one(str_from(in, i + 1), out);
		if (used == 0)
			return false;
		i += used;
	}
	return buf_ok(out);
}

static bool
parse_act(struct str line, struct talk *t, struct buf *scratch)
{
	struct talk_act *act = &t->acts[t->count];
	bool is_event = line.p[0] == '!';
	size_t skip = is_event ? 1 : 2;

	if (!is_event && (line.n < 2 || !strchr("CS", line.p[0]) || !strchr(":>", line.p[1])))
		return false;
	act->kind = is_event ? TALK_EVENT : line.p[0] == 'C' ? TALK_CLIENT : TALK_SERVER;
	act->is_raw = !is_event && line.p[1] == '>';
	if (line.n > skip && line.p[skip] != ' ')
		return false;
	buf_reset(scratch);
	if (!unescape_talk(str_from(line, skip + 1), scratch))
		return false;
	act->text = arena_str(&t->arena, buf_str(scratch));
	t->count++;
	return true;
}

bool
talk_parse(struct str text, struct talk *out, char why[200])
{
	struct buf scratch;
	struct str line;
	bool is_good = true;

	arena_init(&out->arena, 64 << 20);
	out->acts = ARENA_ARRAY(&out->arena, struct talk_act, TALK_ACTS_MAX);
	out->count = 0;
	buf_init(&scratch, TALK_TEXT_MAX);
	for (unsigned number = 1; is_good && str_split(&text, '\n', &line); number++) {
		if (line.n == 0 || line.p[0] == '#')
			continue;
		out->acts[out->count].line = number;
		is_good = out->count + 1 < TALK_ACTS_MAX && parse_act(line, out, &scratch);
		if (!is_good)
			snprintf(why, 200, "line %u: not an act: %.*s", number,
			    (int)(line.n > 80 ? 80 : line.n), line.p);
	}
	buf_clear(&scratch);
	return is_good;
}

bool
talk_read(const char *path, struct talk *out, char why[200])
{
	FILE *f = fopen(path, "rb");
	struct buf text;
	size_t got = 0;
	char *room;
	bool is_good;

	memset(out, 0, sizeof *out);
	if (!f) {
		snprintf(why, 200, "cannot open %s", path);
		return false;
	}
	buf_init(&text, TALK_FILE_MAX);
	room = buf_room(&text, TALK_FILE_MAX);
	if (room)
		got = fread(room, 1, TALK_FILE_MAX, f);
	text.n += got;
	fclose(f);
	is_good = talk_parse(buf_str(&text), out, why);
	buf_clear(&text);
	return is_good;
}

void
talk_clear(struct talk *t)
{
	arena_clear(&t->arena);
	t->count = 0;
}

bool
talk_matches(struct str pattern, struct str text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;

	while (t < text.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			mark = t;
		} else if (p < pattern.n && (pattern.p[p] == '?' || pattern.p[p] == text.p[t])) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++mark;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

bool
talk_word(struct str *rest, struct str *word_out)
{
	bool is_quoted;
	size_t end;

	*rest = str_trim(*rest);
	if (rest->n == 0)
		return false;
	is_quoted = rest->p[0] == '"';
	if (is_quoted)
		*rest = str_from(*rest, 1);
	end = str_find(*rest, is_quoted ? '"' : ' ');
	*word_out = str_upto(*rest, end);
	*rest = str_from(*rest, end + 1);
	return true;
}
