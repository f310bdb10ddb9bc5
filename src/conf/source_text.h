/*
 * source_text: the text of a configuration with the included files inserted, and the origin of each
 * line.  libconfig parses it, so that it opens no file and every message has a location.
 * conf/source_files.h fills it.
 */
#ifndef CONF_SOURCE_TEXT_H
#define CONF_SOURCE_TEXT_H

#include "conf/conf.h"

/* The output of conf_write may be longer than a file. */
enum { CONF_SOURCE_TEXT_MAX = CONF_TEXT_BYTES_MAX };
enum { CONF_SOURCE_INCLUDES_MAX = 64, CONF_SOURCE_PARTS_MAX = 2 * CONF_SOURCE_INCLUDES_MAX + 2 };

struct conf_source_part;

struct conf_source {
	struct buf text; /* zero-terminated; the NUL is not counted */
	struct arena arena;
	struct conf_source_part *parts;
	size_t part_count;
	int line; /* the number of the last line of the text */
};

struct conf_source_location {
	const char *file;
	int line;
};

/* Prepares an empty source. */
void conf_source_init(struct conf_source *s);
/* Frees everything. */
void conf_source_clear(struct conf_source *s);
/* Text that is added from now on begins at this line of this file, whose name is not copied.
 * Nothing beyond CONF_SOURCE_PARTS_MAX. */
void conf_source_begin_part(struct conf_source *s, const char *file, int file_line);
/* Adds text, whose lines are counted. */
void conf_source_add(struct conf_source *s, struct str text);
/* Adds the final NUL; false: the text is too long. */
bool conf_source_end(struct conf_source *s) MUST_USE;
/* The origin of a line of the text; for line 0 the beginning. */
struct conf_source_location conf_source_location(const struct conf_source *s, int line);

#endif
