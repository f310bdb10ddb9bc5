/*
 * operator_columns: the one table of what answers to the operator's commands contain: the keys of
 * each kind of row, with their types, units and help, and the columns of those that are printed as
 * a table.  The same key has the same type everywhere.
 */
#ifndef IPC_OPERATOR_COLUMNS_H
#define IPC_OPERATOR_COLUMNS_H

#include "base/str.h"

enum operator_type {
	OPERATOR_TEXT,
	OPERATOR_NUMBER,
	OPERATOR_BOOLEAN, /* in a row: "yes" or another text */
	OPERATOR_TEXTS,   /* a list, also when it has one member */
	OPERATOR_NUMBERS,
	OPERATOR_VALUE,   /* of a configuration key, with the type of that key */
};

struct operator_column {
	const char *commands; /* words of operator_commands.h, separated by '|' */
	const char *row;      /* the value of "row" in these rows; "": they have none */
	const char *key;
	enum operator_type type;
	const char *unit;     /* NULL: none */
	const char *help;
	const char *title;    /* in the table; NULL: it is not shown there */
	int width;            /* negative: left-aligned; of the last column 0 */
};

/* Those of a table in the order of its columns. */
extern const struct operator_column operator_columns[];
extern const size_t operator_columns_count;

/* "text", "numbers" and so on. */
const char *operator_columns_type_name(enum operator_type type);
/* The type of the values of a key, whatever they look like. */
enum operator_type operator_columns_type(struct str key);
/* Is it a column of this command? */
bool operator_columns_is_of(const struct operator_column *c, struct str words);

#endif
