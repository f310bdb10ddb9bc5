/*
 * source_files: the text of a configuration, with what it includes put in its place, and where each
 * line came from.  libconfig is given the result, so that it opens no file and every message has a
 * place.
 */
#ifndef CONF_SOURCE_FILES_H
#define CONF_SOURCE_FILES_H

#include "conf/conf.h"

/* A file with what it includes; and a text: what conf_write makes of a file may be longer. */
enum { CONF_SOURCE_FILE_MAX = 2 << 20, CONF_SOURCE_TEXT_MAX = CONF_TEXT_BYTES_MAX };
enum { CONF_SOURCE_INCLUDES_MAX = 64, CONF_SOURCE_DEPTH_MAX = 8 };

struct diagnostics;
struct conf_source_part;

struct conf_source {
	struct buf text; /* zero-terminated, not counted */
	struct arena arena;
	struct conf_source_part *parts;
	size_t part_count;
	int line; /* of the text, where it ends now */
};

struct conf_source_location {
	const char *file;
	int line;
};

void conf_source_init(struct conf_source *s);
void conf_source_clear(struct conf_source *s);
/* False, and notes, when the text cannot be parsed: unreadable, too large, NUL bytes, bad includes.
 */
bool conf_source_read_file(
    struct conf_source *s, const char *path, struct diagnostics *notes) MUST_USE;
/* A text that may not include anything. */
bool conf_source_read_text(
    struct conf_source *s, struct str text, struct diagnostics *notes) MUST_USE;
/* Whence a line of the text came; for line 0 the beginning. */
struct conf_source_location conf_source_location(const struct conf_source *s, int line);

#endif
