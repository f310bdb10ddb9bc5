/*
 * source_files: reads and joins.  A file must be a regular one: libconfig's scanner ends the
 * process when it is given a directory.
 */
#include "conf/source_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path_access.h"
#include "base/regular_file.h"
#include "conf/diagnostics.h"
#include "conf/lexer.h"

struct conf_source_part {
	int line; /* the line of the text where the part begins */
	const char *file;
	int file_line; /* the line of the file where it begins */
};

enum { PARTS_MAX = 2 * CONF_SOURCE_INCLUDES_MAX + 2, CONF_SOURCE_ARENA_MAX = 8 << 20 };

/* A file that is being inserted into the text. */
struct conf_source_file {
	struct conf_source *source;
	struct diagnostics *diagnostics;
	const char *file;
	size_t max_bytes; /* for the whole text */
	unsigned depth;
	bool may_include;
};

static bool append_source_text(struct conf_source_file *j, struct str text);

void
conf_source_init(struct conf_source *s)
{
	*s = (struct conf_source){.line = 1};
	buf_init(&s->text, CONF_SOURCE_TEXT_MAX + 1);
	arena_init(&s->arena, CONF_SOURCE_ARENA_MAX);
	s->parts = ARENA_ARRAY(&s->arena, struct conf_source_part, PARTS_MAX);
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

/* Text that is added from now on begins at this line of this file. */
static void
begin_source_part(struct conf_source_file *j, int file_line)
{
	struct conf_source *s = j->source;

	if (s->part_count < PARTS_MAX)
		s->parts[s->part_count++] = (struct conf_source_part){s->line, j->file, file_line};
}

static void
add_source_text(struct conf_source_file *j, struct str text)
{
	buf_adds(&j->source->text, text);
	for (size_t i = 0; i < text.n; i++)
		j->source->line += text.p[i] == '\n';
}

static bool
add_source_error(struct conf_source_file *j, const char *what, const char *detail)
{
	diagnostics_add(j->diagnostics, j->source->line, DIAGNOSTIC_ERROR, "%s%s%s", what,
	    *detail ? ": " : "", detail);
	return false;
}

static bool
add_source_open_error(struct conf_source_file *j, int error)
{
	char detail[PATH_ACCESS_HINT_BYTES + 100], hint[PATH_ACCESS_HINT_BYTES];

	snprintf(detail, sizeof detail, "%s%s", regular_file_error(error),
	    path_access_hint(str_of(j->file), error, hint));
	return add_source_error(j, j->file, detail);
}

static bool
read_source_file(struct conf_source_file *j, int fd, struct buf *out)
{
	ssize_t got;
	char *room;

	do {
		room = buf_room(out, 65536);
		if (!room)
			return add_source_error(j, j->file, "larger than 2 MB");
		got = read(fd, room, 65536);
		if (got < 0)
			return add_source_error(j, j->file, strerror(errno));
		out->n += (size_t)got;
	} while (got > 0);
	return true;
}

static bool
append_source_file(struct conf_source_file *j)
{
	struct buf content;
	bool is_read;
	int fd;

	/* a file that cannot be included is reported at the line that includes it */
	if (j->depth == 0)
		begin_source_part(j, 1);
	fd = regular_file_open(j->file, O_RDONLY);
	if (fd < 0)
		return add_source_open_error(j, errno);
	buf_init(&content, CONF_SOURCE_FILE_MAX + 65536);
	is_read = read_source_file(j, fd, &content);
	close(fd);
	if (is_read && str_starts(buf_str(&content), STR("\xEF\xBB\xBF")))
		is_read = add_source_error(j, j->file,
		    "begins with a byte order mark (BOM): save it as UTF-8 without one");
	if (is_read) {
		if (j->depth)
			begin_source_part(j, 1);
		is_read = append_source_text(j, buf_str(&content));
	}
	buf_clear(&content);
	return is_read;
}

/* Names are relative to the directory of the including file. */
static const char *
included_path(struct conf_source_file *j, struct str quoted)
{
	struct str name = str_make(quoted.p + 1, quoted.n - 2);
	struct str file = str_of(j->file);
	size_t slash = str_rfind(file, '/');

	if (str_starts(name, STR("/")) || slash == file.n)
		return arena_str(&j->source->arena, name).p;
	return arena_printf(&j->source->arena, "%.*s/%.*s", (int)slash, file.p, STR_ARG(name)).p;
}

static bool
include_source_file(struct conf_source_file *j, struct lexer *l)
{
	struct lexer_token word = lexer_next(l), name = lexer_next(l);
	struct conf_source_file inner = *j;
	bool is_joined;

	if (!str_eq(word.text, STR("include")) || name.kind != LEXER_TEXT || name.text.n < 3)
		return add_source_error(
		    j, "after @ only this may stand: @include \"/path/of/a/file\"", "");
	if (!j->may_include)
		return add_source_error(j, "@include cannot stand here", "");
	if (j->depth == CONF_SOURCE_DEPTH_MAX || j->source->part_count + 2 > PARTS_MAX)
		return add_source_error(j, "too many files include one another", "");
	inner.file = included_path(j, name.text);
	inner.depth++;
	is_joined = append_source_file(&inner);
	add_source_text(j, STR("\n"));
	begin_source_part(j, l->line);
	return is_joined;
}

static bool
append_source_text(struct conf_source_file *j, struct str text)
{
	struct lexer_token t;
	size_t done = 0;
	bool is_joined = true;
	struct lexer l;

	lexer_init(&l, text);
	if (str_has(text, '\0'))
		return add_source_error(j, j->file, "holds a NUL byte: is this a text file?");
	for (t = lexer_next(&l); t.kind != LEXER_END; t = lexer_next(&l)) {
		size_t at = (size_t)(t.text.p - text.p);

		if (t.kind != LEXER_MARK || t.text.p[0] != '@')
			continue;
		add_source_text(j, str_make(text.p + done, at - done));
		if (!t.is_first)
			return add_source_error(j, "@include must begin its line", "");
		is_joined &= include_source_file(j, &l);
		done = l.at;
	}
	add_source_text(j, str_from(text, done));
	if (j->source->text.n > j->max_bytes || j->source->text.over)
		return add_source_error(j, j->file, "larger than 2 MB with what it includes");
	return is_joined;
}

static bool
terminate_source_text(struct conf_source *s)
{
	if (!buf_addc(&s->text, '\0'))
		return false;
	s->text.n--;
	return true;
}

bool
conf_source_read_file(struct conf_source *s, const char *path, struct diagnostics *diagnostics)
{
	struct conf_source_file j = {s, diagnostics, arena_str(&s->arena, str_of(path)).p,
	    CONF_SOURCE_FILE_MAX, 0, true};

	return append_source_file(&j) && terminate_source_text(s);
}

bool
conf_source_read_text(struct conf_source *s, struct str text, struct diagnostics *diagnostics)
{
	struct conf_source_file j = {
	    s, diagnostics, "configuration", CONF_SOURCE_TEXT_MAX, 0, false};

	begin_source_part(&j, 1);
	return append_source_text(&j, text) && terminate_source_text(s);
}
