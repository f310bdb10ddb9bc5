/*
 * parser: libconfig's tree -> struct conf.
 */
#ifndef CONF_PARSER_H
#define CONF_PARSER_H

#include "conf/diagnostics.h"

struct conf_parse_tree; /* libconfig's, kept for the places of keys */

/* Parses the source and stores every key that it gives into c.  is_whole: a file of the operator's,
 * in which required keys must stand; else a part of one.  NULL when the syntax is wrong; notes may
 * say more even when a tree is returned. */
struct conf_parse_tree *conf_parse(
    const struct conf_source *s, bool is_whole, struct conf *c, struct diagnostics *notes);
void conf_parse_free(struct conf_parse_tree **t);
/* The line of "routes.[1].host", or of the nearest group around it. */
int conf_parse_line(const struct conf_parse_tree *t, const char *path);
/* The line of a key in the group with that index of a list; a list of one may be written as one
 * group. */
int conf_parse_item_line(
    const struct conf_parse_tree *t, const char *list, size_t index, const char *name);

#endif
