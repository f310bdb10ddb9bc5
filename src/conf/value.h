/*
 * value: converts the texts of the configuration to values and back.  Printed text parses to the
 * same value.  Parsers accept any bytes as input, and change out-parameters only on success.
 */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include "conf/key.h"

enum {
	VALUE_RATES_MAX = 8,          /* of one key */
	VALUE_RATES_TEXT_BYTES = 512, /* all of them with the key, as text */
};

/* "90s", "1h30m", "1h 30m"; ms s m h d w. */
bool value_duration(struct str text, int64_t *ms_out) MUST_USE;
/* "50M", "25k", "512B"; B k M G. */
bool value_size(struct str text, uint64_t *bytes_out) MUST_USE;
/* "5%" */
bool value_percent(struct str text, int64_t *percent_out) MUST_USE;
/* "300 recipients / 1h"; the text may omit the unit; unit may be NULL. */
bool value_rate(struct str text, const char *unit, struct conf_rate *out) MUST_USE;

/* Writes the duration in the largest unit that divides it. */
void value_print_duration(int64_t ms, struct buf *out);
/* Writes the size likewise. */
void value_print_size(uint64_t bytes, struct buf *out);
/* Writes "300 recipients / 1h". */
void value_print_rate(const struct conf_rate *rate, const char *unit, struct buf *out);
/* Writes the text in double quotes, with libconfig's escapes. */
void value_print_text(struct str text, struct buf *out);

/* Parses the text or number of a key and stores the value at its offset in `base`; false: why gets
 * the error. */
bool value_set(const struct conf_key *k, struct str text, void *base, struct arena *arena,
    struct buf *why) MUST_USE;
bool value_set_number(
    const struct conf_key *k, int64_t number, void *base, struct buf *why) MUST_USE;
/* Writes the value in the grammar of the file; of a KEY_LIST only the number of items. */
void value_print(const struct conf_key *k, const void *base, struct buf *out);

/* Does the text have this form?  NULL: yes; else what is expected, "a domain name". */
const char *value_form(enum conf_key_form form, struct str text);

#endif
