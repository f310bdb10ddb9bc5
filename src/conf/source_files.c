/*
 * source_files: reading and joining.  A file must be a regular one: libconfig's scanner ends the
 * process when it is handed a directory.
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

struct source_part {
	int line; /* the part begins here in the text, and is … */
	const char *file;
	int file_line; /* … this line of the file */
};

enum { PARTS_MAX = 2 * SOURCE_INCLUDES_MAX + 2, SOURCE_ARENA_MAX = 8 << 20 };

/* One file on its way into the text. */
struct joining {
	struct source *source;
	struct notes *notes;
	const char *file;
	size_t max_bytes; /* of the whole text */
	unsigned depth;
	bool may_include;
};

static bool join(struct joining *j, struct str text);

void
source_init(struct source *s)
{
	*s = (struct source){.line = 1};
	buf_init(&s->text, SOURCE_TEXT_MAX + 1);
	arena_init(&s->arena, SOURCE_ARENA_MAX);
	s->parts = ARENA_ARRAY(&s->arena, struct source_part, PARTS_MAX);
}

void
source_clear(struct source *s)
{
	/* passwords may stand in it */
	if (s->text.p)
		mem_wipe(s->text.p, s->text.cap);
	buf_clear(&s->text);
	arena_clear(&s->arena);
}

struct source_place
source_place(const struct source *s, int line)
{
	struct source_place place = {"configuration", line ? line : 1};

	for (size_t i = 0; i < s->part_count && (i == 0 || s->parts[i].line <= line); i++) {
		const struct source_part *p = &s->parts[i];

		place.file = p->file;
		place.line = p->file_line + (line > p->line ? line - p->line : 0);
	}
	return place;
}

/* What is added from now on begins at this line of this file. */
static void
begin_part(struct joining *j, int file_line)
{
	struct source *s = j->source;

	if (s->part_count < PARTS_MAX)
		s->parts[s->part_count++] = (struct source_part){s->line, j->file, file_line};
}

static void
add(struct joining *j, struct str text)
{
	buf_adds(&j->source->text, text);
	for (size_t i = 0; i < text.n; i++)
		j->source->line += text.p[i] == '\n';
}

static bool
complain(struct joining *j, const char *what, const char *detail)
{
	notes_add(
	    j->notes, j->source->line, NOTE_ERROR, "%s%s%s", what, *detail ? ": " : "", detail);
	return false;
}

static bool
complain_of_open(struct joining *j, int error)
{
	char detail[REACH_HINT_BYTES + 100], hint[REACH_HINT_BYTES];

	snprintf(detail, sizeof detail, "%s%s", file_error(error),
	    reach_hint(str_of(j->file), error, hint));
	return complain(j, j->file, detail);
}

static bool
read_all(struct joining *j, int fd, struct buf *out)
{
	ssize_t got;
	char *room;

	do {
		room = buf_room(out, 65536);
		if (!room)
			return complain(j, j->file, "larger than 2 MB");
		got = read(fd, room, 65536);
		if (got < 0)
			return complain(j, j->file, strerror(errno));
		out->n += (size_t)got;
	} while (got > 0);
	return true;
}

static bool
join_file(struct joining *j)
{
	struct buf content;
	bool is_read;
	int fd;

	/* a file that cannot be included is told at the line that includes it */
	if (j->depth == 0)
		begin_part(j, 1);
	fd = file_open(j->file, O_RDONLY);
	if (fd < 0)
		return complain_of_open(j, errno);
	buf_init(&content, SOURCE_FILE_MAX + 65536);
	is_read = read_all(j, fd, &content);
	close(fd);
	if (is_read && str_starts(buf_str(&content), STR("\xEF\xBB\xBF")))
		is_read = complain(j, j->file,
		    "begins with a byte order mark (BOM): save it as UTF-8 without one");
	if (is_read) {
		if (j->depth)
			begin_part(j, 1);
		is_read = join(j, buf_str(&content));
	}
	buf_clear(&content);
	return is_read;
}

/* Names are relative to the including file's directory. */
static const char *
included_path(struct joining *j, struct str quoted)
{
	struct str name = str_make(quoted.p + 1, quoted.n - 2);
	struct str file = str_of(j->file);
	size_t slash = str_rfind(file, '/');

	if (str_starts(name, STR("/")) || slash == file.n)
		return arena_str(&j->source->arena, name).p;
	return arena_printf(&j->source->arena, "%.*s/%.*s", (int)slash, file.p, STR_ARG(name)).p;
}

static bool
include(struct joining *j, struct lex *l)
{
	struct lex_token word = lex_next(l), name = lex_next(l);
	struct joining inner = *j;
	bool is_joined;

	if (!str_eq(word.text, STR("include")) || name.kind != LEX_TEXT || name.text.n < 3)
		return complain(j, "after @ only this may stand: @include \"/path/of/a/file\"", "");
	if (!j->may_include)
		return complain(j, "@include cannot stand here", "");
	if (j->depth == SOURCE_DEPTH_MAX || j->source->part_count + 2 > PARTS_MAX)
		return complain(j, "too many files include one another", "");
	inner.file = included_path(j, name.text);
	inner.depth++;
	is_joined = join_file(&inner);
	add(j, STR("\n"));
	begin_part(j, l->line);
	return is_joined;
}

static bool
join(struct joining *j, struct str text)
{
	struct lex_token t;
	size_t done = 0;
	bool is_joined = true;
	struct lex l;

	lex_init(&l, text);
	if (str_has(text, '\0'))
		return complain(j, j->file, "holds a NUL byte: is this a text file?");
	for (t = lex_next(&l); t.kind != LEX_END; t = lex_next(&l)) {
		size_t at = (size_t)(t.text.p - text.p);

		if (t.kind != LEX_MARK || t.text.p[0] != '@')
			continue;
		add(j, str_make(text.p + done, at - done));
		if (!t.is_first)
			return complain(j, "@include must begin its line", "");
		is_joined &= include(j, &l);
		done = l.at;
	}
	add(j, str_from(text, done));
	if (j->source->text.n > j->max_bytes || j->source->text.over)
		return complain(j, j->file, "larger than 2 MB with what it includes");
	return is_joined;
}

static bool
terminate(struct source *s)
{
	if (!buf_addc(&s->text, '\0'))
		return false;
	s->text.n--;
	return true;
}

bool
source_read_file(struct source *s, const char *path, struct notes *notes)
{
	struct joining j = {s, notes, arena_str(&s->arena, str_of(path)).p,
	    SOURCE_FILE_MAX, 0, true};

	return join_file(&j) && terminate(s);
}

bool
source_read_text(struct source *s, struct str text, struct notes *notes)
{
	struct joining j = {s, notes, "configuration", SOURCE_TEXT_MAX, 0, false};

	begin_part(&j, 1);
	return join(&j, text) && terminate(s);
}
