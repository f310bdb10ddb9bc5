/* print: prints the rows of answers as a table, as JSON (one object per line), or as bare ids. */
#ifndef TOOL_PRINT_H
#define TOOL_PRINT_H

#include "tool/tool.h"

enum { PRINT_LABEL_COLUMNS = 16, PRINT_COLUMNS_MAX = 16 };

struct print_table {
	const struct tool *tool;
	/* whose columns, by ipc/operator_columns.h; only for print_row */
	const char *command;
	const char *row;
	const char *id_key; /* what --quiet prints; NULL: nothing */
	unsigned rows;
};

/* Prints UTF-8 unchanged; control characters and bytes that are not UTF-8 as "\x1b".  Returns the
 * number of columns, one per character. */
int print_text(struct str s);
/* Prints a line, if there is a value; indent -1: only the value. */
void print_labelled(int indent, const char *label, struct str value);
/* Prints one object. */
void print_json(struct str values);
/* The same, with the content of a file as the value of one more key.  -1 with errno: the file could
 * not be read to its end, and the value is incomplete. */
int print_json_file(struct str values, const char *key, int fd) MUST_USE;
/* A tool_row_fn; arg is struct print_table: one line of the table. */
void print_row(struct str values, void *arg);
/* Prints `words` if a table had no rows; nothing with --json or --quiet. */
void print_empty(const struct print_table *p, const char *words);
/* A tool_row_fn; arg is struct print_table: every key on a line of its own, JSON as above. */
void print_record(struct str values, void *arg);

#endif
