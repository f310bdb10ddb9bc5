/*
 * write_keys: keys and their values in the grammar of the file, for the files of conf.
 */
#ifndef CONF_WRITE_KEYS_H
#define CONF_WRITE_KEYS_H

#include "conf/key.h"

/* The maximum of one value as text. */
enum { CONF_VALUE_TEXT_MAX = 64 << 20 };

/* Writes keys in the order of the table; the first written key of a group opens it. */
struct conf_writer {
	struct buf *out;
	struct str group;
};
/* Nothing is written yet. */
struct conf_writer conf_writer_begin(struct buf *out);
/* Writes a key with its value as text. */
void conf_writer_add(struct conf_writer *w, const struct conf_key *k, struct str value);
/* Closes the last group. */
void conf_writer_end(struct conf_writer *w);

/* Does one of the roles get the key? */
bool conf_key_is_for(const struct conf_key *k, unsigned roles);
/* Writes the value of a key of c (not of an item), in the grammar of the file: lists with all their
 * groups. */
void conf_write_value(const struct conf_key *k, const struct conf *c, unsigned roles,
    bool with_secrets, struct buf *out);

/* Writes one group of a list. */
void conf_write_item(const struct conf_key *list, const void *item, unsigned roles,
    bool with_secrets, struct buf *out);
/* Does the key have another value in `other`?  Secrets are compared, too. */
bool conf_key_differs(
    const struct conf_key *k, const struct conf *c, const struct conf *other) MUST_USE;
/* Overwrites and frees a text that may contain secrets. */
void conf_text_wipe(struct buf *text);
/* Writes every default in the grammar of the file. */
void conf_write_defaults(struct buf *out);

#endif
