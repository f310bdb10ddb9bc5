/*
 * json: settings and the key table as JSON.
 */
#ifndef CONF_JSON_H
#define CONF_JSON_H

#include "conf/conf.h"

/* Writes settings in the grammar of the file, as conf_write writes them, as the members of a JSON
 * object without its braces: switches and numbers as such, lists as arrays, groups as objects, and
 * all else (durations, sizes, rates) as the texts of the file. */
void conf_write_json(struct str settings, struct buf *out);
/* Writes what conf_explain (conf/explain.h) writes, as the members of a JSON object. */
bool conf_explain_json(
    struct str key, const struct conf *running, const struct conf *file, struct buf *out);

#endif
