/* print: rows of answers as a table, as JSON (one object per line), or as bare ids. */
#ifndef TOOL_PRINT_H
#define TOOL_PRINT_H

#include "tool/tool.h"

enum { PRINT_LABEL_COLUMNS = 16 };

struct print_column {
	const char *key;
	const char *title;
	int width; /* negative: left-aligned */
};

struct print_table {
	const struct tool *tool;
	const struct print_column *columns; /* up to a NULL key */
	const char *id_key;                 /* what --quiet prints; NULL: nothing */
	unsigned rows;
};

/* UTF-8 as it is; what controls a terminal, or is no UTF-8, as "\x1b".  Returns the columns that it
 * took, a character each. */
int print_text(struct str s);
/* A line, if there is a value; indent -1: the value alone. */
void print_labelled(int indent, const char *label, struct str value);
/* One object. */
void print_json(struct str values);
/* The same, with a file as the value of one more key; -1 with errno: as far as it could be read. */
int print_json_file(struct str values, const char *key, int fd) MUST_USE;
/* A tool_row_fn; arg is struct print_table. */
void print_row(struct str values, void *arg);
/* Says of a table that had no rows that it is empty; not with --json or --quiet. */
void print_empty(const struct print_table *p, const char *words);
/* A tool_row_fn; arg is struct print_table: every key on a line of its own, JSON as above. */
void print_record(struct str values, void *arg);

#endif
