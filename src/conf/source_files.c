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

#include "base/error_text.h"
#include "base/mem.h"
#include "base/path_access.h"
#include "base/regular_file.h"
#include "conf/lexer.h"

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
			return add_source_error(j, j->file, error_text(errno));
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
		conf_source_begin_part(j->source, j->file, 1);
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
			conf_source_begin_part(j->source, j->file, 1);
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
	if (j->depth == CONF_SOURCE_DEPTH_MAX || j->source->part_count + 2 > CONF_SOURCE_PARTS_MAX)
		return add_source_error(j, "too many files include one another", "");
	inner.file = included_path(j, name.text);
	inner.depth++;
	is_joined = append_source_file(&inner);
	conf_source_add(j->source, STR("\n"));
	conf_source_begin_part(j->source, j->file, l->line);
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
		conf_source_add(j->source, str_make(text.p + done, at - done));
		if (!t.is_first)
			return add_source_error(j, "@include must begin its line", "");
		is_joined &= include_source_file(j, &l);
		done = l.at;
	}
	conf_source_add(j->source, str_from(text, done));
	if (j->source->text.n > j->max_bytes || j->source->text.over)
		return add_source_error(j, j->file, "larger than 2 MB with what it includes");
	return is_joined;
}

bool
conf_source_read_file(struct conf_source *s, const char *path, struct diagnostics *diagnostics)
{
	struct conf_source_file j = {s, diagnostics, arena_str(&s->arena, str_of(path)).p,
	    CONF_SOURCE_FILE_MAX, 0, true};

	return append_source_file(&j) && conf_source_end(s);
}

bool
conf_source_read_text(struct conf_source *s, struct str text, struct diagnostics *diagnostics)
{
	struct conf_source_file j = {
	    s, diagnostics, "configuration", CONF_SOURCE_TEXT_MAX, 0, false};

	conf_source_begin_part(s, j.file, 1);
	return append_source_text(&j, text) && conf_source_end(s);
}
