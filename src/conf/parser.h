/*
 * parser: converts libconfig's tree to struct conf.
 */
#ifndef CONF_PARSER_H
#define CONF_PARSER_H

#include "conf/diagnostics.h"

struct conf_parse_tree; /* libconfig's tree, kept for the locations of keys */

/* Parses the source and stores every key that it has in c.  is_whole: the file of the operator,
 * where required keys must be present; else a part of a configuration.  NULL when the syntax is
 * wrong; there may be errors even when a tree is returned. */
struct conf_parse_tree *conf_parse(
    const struct conf_source *s, bool is_whole, struct conf *c, struct diagnostics *diagnostics);
/* Frees *t and sets it to NULL. */
void conf_parse_free(struct conf_parse_tree **t);
/* The line of "routes.[1].host", or of the innermost existing group around it. */
int conf_parse_line(const struct conf_parse_tree *t, const char *path);
/* The line of a key in the group with that index of a list; a list with one item may be written as
 * a single group. */
int conf_parse_item_line(
    const struct conf_parse_tree *t, const char *list, size_t index, const char *name);

#endif
