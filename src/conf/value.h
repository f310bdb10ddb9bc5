/*
 * value: texts of the configuration and what they mean, both ways.  What is printed reads back to
 * the same value.  Parsers are total: bytes of any kind go in, out-parameters change only on
 * success.
 */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include "conf/key.h"

enum {
	VALUE_RATES_MAX = 8,          /* of one rule */
	VALUE_RATES_TEXT_BYTES = 512, /* all of them, with the key, as text */
};

/* "90s", "1h30m", "1h 30m"; ms s m h d w. */
bool value_duration(struct str text, int64_t *ms_out) MUST_USE;
/* "50M", "25k", "512B"; B k M G. */
bool value_size(struct str text, uint64_t *bytes_out) MUST_USE;
/* "5%" */
bool value_percent(struct str text, int64_t *percent_out) MUST_USE;
/* "300 recipients / 1h"; the word (or NULL) may be left out. */
bool value_rate(struct str text, const char *unit, struct conf_rate *out) MUST_USE;

void value_print_duration(int64_t ms, struct buf *out);
void value_print_size(uint64_t bytes, struct buf *out);
void value_print_rate(const struct conf_rate *rate, const char *unit, struct buf *out);
/* In double quotes, with libconfig's escapes. */
void value_print_text(struct str text, struct buf *out);

/* Parses the text of a key, stores it at its place in `base`; false: why says what is wrong. */
bool value_set(const struct conf_key *k, struct str text, void *base, struct arena *arena,
    struct buf *why) MUST_USE;
bool value_set_number(
    const struct conf_key *k, int64_t number, void *base, struct buf *why) MUST_USE;
/* The value in the file's grammar; a KEY_LIST only says how many items. */
void value_print(const struct conf_key *k, const void *base, struct buf *out);

/* Does the text have this form?  NULL: yes; else what it should be, "a domain name". */
const char *value_form(enum conf_key_form form, struct str text);

#endif
