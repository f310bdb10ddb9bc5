/*
 * key: the key table.  One row has everything about a key: its position in the file and in struct
 * conf, its type, range, default (in the grammar of the file), the roles that get it, and its help.
 */
#ifndef CONF_KEY_H
#define CONF_KEY_H

#include "conf/conf.h"

/* The C type at the offset of the row. */
enum conf_key_type {
	KEY_TEXT,      /* struct str */
	KEY_NUMBER,    /* int64_t */
	KEY_PERCENT,   /* int64_t */
	KEY_SWITCH,    /* bool */
	KEY_WORD,      /* int64_t: index into words */
	KEY_DURATION,  /* int64_t, milliseconds */
	KEY_SIZE,      /* uint64_t, bytes */
	KEY_RATE,      /* struct conf_rate */
	KEY_RATES,     /* struct conf_rates */
	KEY_TEXTS,     /* struct conf_strs */
	KEY_DURATIONS, /* as struct conf_key_span, of int64_t */
	KEY_LOG,       /* int64_t enum conf_log_target, then struct str */
	KEY_LIST,      /* as struct conf_key_span, of groups */
};

/* The syntax of a text. */
enum conf_key_form {
	FORM_ANY,
	FORM_HOSTNAME,
	FORM_DOMAIN,
	FORM_HOST,
	FORM_ADDRESS,
	FORM_PATH,
	FORM_IP,
	FORM_RESOLVER,
	FORM_ZONE,
	FORM_TO_DOMAIN,
	FORM_PATTERN,
	FORM_LOGIN,
	FORM_NETWORK,
	FORM_SECRET
};

enum conf_key_flag {
	KEY_REQUIRED = 1, /* within its group, or in the file */
	KEY_ITEM = 2,     /* belongs to each group of the list in its path */
	KEY_SINGLE = 4,   /* a list that may be written as one group */
	KEY_RESTART =
	    8, /* a reload does not change it; a text or a number (conf_copy_restart_keys) */
	KEY_SHOWN = 16, /* of an item: written even if it has the default */
};

/* How lists are stored in struct conf. */
struct conf_key_span {
	const void *p;
	size_t n;
};

struct conf_key {
	const char *path; /* "queue.retry", "routes.host" */
	enum conf_key_type type;
	size_t offset; /* in struct conf, or in the item's struct */
	unsigned roles;
	const char *dflt;         /* NULL: none; of an item: the meaning of zero bytes */
	const char *example;      /* NULL: the default is an example */
	int64_t min, max;         /* number, percent, duration, size; list: most items */
	const char *const *words; /* of KEY_WORD; of KEY_TEXTS: the allowed texts, or NULL */
	const char *unit;         /* the word that a rate may have */
	size_t item_bytes;
	enum conf_key_form form;
	unsigned flags;
	const char *former; /* the path that the key had, for messages; or NULL */
	const char *help;
};

/* All rows.  Keys of a group are adjacent, and the rows of a list's items follow the list. */
extern const struct conf_key conf_key_table[];
extern const size_t conf_key_count;

/* The row with this path, or NULL. */
const struct conf_key *conf_key_find(struct str path);
/* Does the path of a row begin with this path and a dot? */
bool conf_key_is_group(struct str path);
/* The path without its last name; empty at the top. */
struct str conf_key_group(const struct conf_key *k);
/* The last name of the path. */
struct str conf_key_name(const struct conf_key *k);
/* The type as text: "a duration". */
const char *conf_key_type_name(const struct conf_key *k);
/* An example value. */
const char *conf_key_example(const struct conf_key *k);
/* The most similar name in the group, or NULL. */
const struct conf_key *conf_key_nearest(struct str group, struct str name);
/* The same for the names of groups, all of which are at the top level. */
const char *conf_key_nearest_group(struct str group, struct str name);
/* The first row with that name in any group, or NULL. */
const struct conf_key *conf_key_elsewhere(struct str name);
/* The row that had this path, or NULL. */
const struct conf_key *conf_key_renamed(struct str path);
/* The path of the key or group that was probably meant, or NULL. */
const char *conf_key_suggest(struct str path);

#endif
