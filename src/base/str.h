/*
 * str: a counted, read-only view of bytes.  It owns nothing, may contain NUL, and is never assumed
 * to end in one.  Letters are ASCII only: other bytes are compared as they are.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p;
	size_t n;
};

/* A view of a string literal. */
#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_NULL ((struct str){NULL, 0})
/* For "%.*s". */
#define STR_ARG(s) (int)(s).n, (s).p

#define MUST_USE __attribute__((warn_unused_result))

static inline struct str
/* A view of a C string; NULL gives an empty view. */
str_of(const char *z)
{
	return (struct str){z, z ? strlen(z) : 0};
}

static inline struct str
/* A view of n bytes. */
str_make(const char *p, size_t n)
{
	return (struct str){p, n};
}

static inline bool
/* Equal, octet by octet? */
str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Comparisons; those with an "i" ignore the case of ASCII letters. */
bool str_ieq(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_istarts(struct str s, struct str prefix);
bool str_iends(struct str s, struct str suffix);

/* Index of the first `c`, or s.n. */
size_t str_find(struct str s, char c);
/* Index of the last `c`, or s.n. */
size_t str_rfind(struct str s, char c);
/* Does s contain c? */
bool str_has(struct str s, char c);

/* Slices that are limited to the view. */
struct str str_from(struct str s, size_t from);
struct str str_upto(struct str s, size_t n);
/* Without blanks (space, tab) at both ends. */
struct str str_trim(struct str s);

/* Removes the part before the next `sep` from *rest; false when *rest is exhausted (p NULL). */
bool str_split(struct str *rest, char sep, struct str *part_out);

/* A whole decimal number without sign or blanks; false for anything else and on overflow. */
bool str_u64(struct str s, uint64_t *out) MUST_USE;

/* The number of letters that must be inserted, removed or replaced to turn one text into the other
 * (Levenshtein), ignoring ASCII case; for more than STR_DISTANCE_MAX octets: that number. */
enum { STR_DISTANCE_MAX = 64 };
size_t str_distance(struct str a, struct str b);

/* Only octets below 0x80? */
bool str_is_ascii(struct str s);
/* Index of the first octet below 0x20 at or after `from`, or s.n.  Checks eight octets at a
 * time. */
size_t str_find_control(struct str s, size_t from);
/* Well-formed UTF-8 (RFC 3629: no overlong forms, surrogates, or above U+10FFFF). */
bool str_is_utf8(struct str s);
/* Length of the well-formed UTF-8 sequence at the start of s, which is not empty; 0: malformed. */
size_t str_utf8_step(struct str s);
/* The same; *out is the character, 0 when malformed. */
size_t str_utf8_character(struct str s, uint32_t *out);
/* Control characters, and characters that are invisible or that change how others are displayed:
 * text with them looks like other text. */
bool char_is_unseen(uint32_t c);
/* Printable ASCII only, 0x20..0x7e. */
bool str_is_printable(struct str s);

/* ASCII only, for these three. */
static inline char
char_lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static inline bool
char_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
char_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

#endif
