/*
 * source_files: reads a configuration file with the files that it includes into one text
 * (conf/source_text.h).
 */
#ifndef CONF_SOURCE_FILES_H
#define CONF_SOURCE_FILES_H

#include "conf/diagnostics.h"
#include "conf/source_text.h"

/* The maximum of a file with its includes. */
enum { CONF_SOURCE_FILE_MAX = 2 << 20 };
enum { CONF_SOURCE_DEPTH_MAX = 8 };

/* False, with errors, when the text cannot be parsed: unreadable, too large, NUL bytes, bad
 * includes. */
bool conf_source_read_file(
    struct conf_source *s, const char *path, struct diagnostics *diagnostics) MUST_USE;
/* For a text without includes. */
bool conf_source_read_text(
    struct conf_source *s, struct str text, struct diagnostics *diagnostics) MUST_USE;
#endif
