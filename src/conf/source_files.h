/*
 * source_files: the text of a configuration, with what it includes put in its place, and where each
 * line came from.  libconfig is given the result, so that it opens no file and every message has a
 * place.
 */
#ifndef CONF_SOURCE_FILES_H
#define CONF_SOURCE_FILES_H

#include "conf/conf.h"

/* A file with what it includes; and a text: what conf_write makes of a file may be longer. */
enum { SOURCE_FILE_MAX = 2 << 20, SOURCE_TEXT_MAX = CONF_TEXT_BYTES_MAX };
enum { SOURCE_INCLUDES_MAX = 64, SOURCE_DEPTH_MAX = 8 };

struct notes;
struct source_part;

struct source {
	struct buf text; /* zero-terminated, not counted */
	struct arena arena;
	struct source_part *parts;
	size_t part_count;
	int line; /* of the text, where it ends now */
};

struct source_place {
	const char *file;
	int line;
};

void source_init(struct source *s);
void source_clear(struct source *s);
/* False, and notes, when the text cannot be parsed: unreadable, too large, NUL bytes, bad includes.
 */
bool source_read_file(struct source *s, const char *path, struct notes *notes) MUST_USE;
/* A text that may not include anything. */
bool source_read_text(struct source *s, struct str text, struct notes *notes) MUST_USE;
/* Whence a line of the text came; for line 0 the beginning. */
struct source_place source_place(const struct source *s, int line);

#endif
