/*
 * source_files: the text of a configuration with the included files inserted, and the origin of
 * each line. libconfig parses the result, so that it opens no file and every message has a
 * location.
 */
#ifndef CONF_SOURCE_FILES_H
#define CONF_SOURCE_FILES_H

#include "conf/conf.h"

/* A file with its includes; and a text, because the output of conf_write may be longer. */
enum { CONF_SOURCE_FILE_MAX = 2 << 20, CONF_SOURCE_TEXT_MAX = CONF_TEXT_BYTES_MAX };
enum { CONF_SOURCE_INCLUDES_MAX = 64, CONF_SOURCE_DEPTH_MAX = 8 };

struct diagnostics;
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
/* False, with errors, when the text cannot be parsed: unreadable, too large, NUL bytes, bad
 * includes. */
bool conf_source_read_file(
    struct conf_source *s, const char *path, struct diagnostics *diagnostics) MUST_USE;
/* For a text without includes. */
bool conf_source_read_text(
    struct conf_source *s, struct str text, struct diagnostics *diagnostics) MUST_USE;
/* The origin of a line of the text; for line 0 the beginning. */
struct conf_source_location conf_source_location(const struct conf_source *s, int line);

#endif
