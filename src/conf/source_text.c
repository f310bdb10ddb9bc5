/*
 * source_text: the text only grows, and its parts are noted in the order of their lines: the last
 * part that begins at or before a line is its origin. The text may contain passwords and is wiped
 * at its end. The zero byte behind it is for libconfig and is not counted. No file is opened here.
 */
#include "conf/source_text.h"

#include "base/mem.h"

enum { CONF_SOURCE_ARENA_MAX = 8 << 20 };

struct conf_source_part {
	int line; /* the line of the text where the part begins */
	const char *file;
	int file_line; /* the line of the file where it begins */
};

void
conf_source_init(struct conf_source *s)
{
	*s = (struct conf_source){.line = 1};
	buf_init(&s->text, CONF_SOURCE_TEXT_MAX + 1);
	arena_init(&s->arena, CONF_SOURCE_ARENA_MAX);
	s->parts = ARENA_ARRAY(&s->arena, struct conf_source_part, CONF_SOURCE_PARTS_MAX);
}

void
conf_source_clear(struct conf_source *s)
{
	/* it may contain passwords */
	if (s->text.p)
		mem_wipe(s->text.p, s->text.cap);
	buf_clear(&s->text);
	arena_clear(&s->arena);
}

struct conf_source_location
conf_source_location(const struct conf_source *s, int line)
{
	struct conf_source_location place = {"configuration", line ? line : 1};

	for (size_t i = 0; i < s->part_count && (i == 0 || s->parts[i].line <= line); i++) {
		const struct conf_source_part *p = &s->parts[i];

		place.file = p->file;
		place.line = p->file_line + (line > p->line ? line - p->line : 0);
	}
	return place;
}

void
conf_source_begin_part(struct conf_source *s, const char *file, int file_line)
{
	if (s->part_count < CONF_SOURCE_PARTS_MAX)
		s->parts[s->part_count++] = (struct conf_source_part){s->line, file, file_line};
}

void
conf_source_add(struct conf_source *s, struct str text)
{
	buf_adds(&s->text, text);
	for (size_t i = 0; i < text.n; i++)
		s->line += text.p[i] == '\n';
}

bool
conf_source_end(struct conf_source *s)
{
	if (!buf_addc(&s->text, '\0'))
		return false;
	s->text.n--;
	return true;
}
