/*
 * print: control characters in data from outside never reach the terminal. Titles, widths and types
 * of columns are those of operator_columns.h. A key that occurs several times is an array in JSON;
 * a table shows its first value and the number of the others.
 */
#include "tool/print.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ipc/message.h"
#include "ipc/operator_columns.h"
#include "tool/text_pieces.h"

/* The length of the first character of s if a terminal shows it; 0: the first byte controls the
 * terminal, or is not UTF-8. */
static size_t
printable_length(struct str s)
{
	uint32_t c;
	size_t step = str_utf8_character(s, &c);

	return char_is_unseen(c) ? 0 : step;
}

int
print_text(struct str s)
{
	int columns = 0;

	while (s.n) {
		size_t step = printable_length(s);

		if (step) {
			fwrite(s.p, 1, step, stdout);
			columns++;
		} else {
			columns += printf("\\x%02x", (unsigned char)s.p[0]);
			step = 1;
		}
		s = str_from(s, step);
	}
	return columns;
}

void
print_labelled(int indent, const char *label, struct str value)
{
	if (value.n == 0)
		return;
	if (indent >= 0)
		printf("%*s%-*s ", indent, "", PRINT_LABEL_COLUMNS, label);
	(void)print_text(value);
	putchar('\n');
}

/* Bytes that are not UTF-8 become U+FFFD, each of them. */
static void
print_escaped_part(struct str s, void *arg)
{
	(void)arg;
	while (s.n) {
		size_t step = str_utf8_step(s);
		unsigned char c = (unsigned char)s.p[0];

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			printf("\\u%04x", c);
		else if (step == 0)
			fputs("\\ufffd", stdout);
		else
			fwrite(s.p, 1, step, stdout);
		s = str_from(s, step ? step : 1);
	}
}

static void
print_escaped(struct str s)
{
	putchar('"');
	print_escaped_part(s, NULL);
	putchar('"');
}

/* "12.250": digits, a point and digits. */
static bool
is_decimal_number(struct str s)
{
	size_t point = str_find(s, '.');
	uint64_t number;

	return point < s.n && str_u64(str_upto(s, point), &number) &&
	    str_u64(str_from(s, point + 1), &number);
}

static void
print_json_value(struct str key, struct str value)
{
	enum operator_type type = operator_columns_type(key);
	bool is_number = type == OPERATOR_NUMBER || type == OPERATOR_NUMBERS;
	uint64_t number;

	if (is_number && str_u64(value, &number))
		printf("%llu", (unsigned long long)number);
	else if (is_number && is_decimal_number(value))
		printf("%.*s", STR_ARG(value));
	else if (type == OPERATOR_BOOLEAN)
		fputs(str_eq(value, STR("yes")) ? "true" : "false", stdout);
	else
		print_escaped(value);
}

static unsigned
count_key(struct str values, struct str wanted)
{
	struct str key, value;
	unsigned n = 0;

	while (message_values_next(&values, &key, &value))
		n += str_eq(key, wanted);
	return n;
}

/* A key that occurs several times becomes an array at its first place. */
static void
print_json_key(struct str values, struct str wanted)
{
	unsigned count = count_key(values, wanted), n = 0;
	enum operator_type type = operator_columns_type(wanted);
	bool is_array = count > 1 || type == OPERATOR_TEXTS || type == OPERATOR_NUMBERS;
	struct str key, value;

	print_escaped(wanted);
	putchar(':');
	if (is_array)
		putchar('[');
	while (message_values_next(&values, &key, &value)) {
		if (!str_eq(key, wanted))
			continue;
		if (n++)
			putchar(',');
		print_json_value(key, value);
	}
	if (is_array)
		putchar(']');
}

static bool
key_came_before(struct str values, struct str key_at)
{
	struct str key, value;

	while (message_values_next(&values, &key, &value) && key.p != key_at.p)
		if (str_eq(key, key_at))
			return true;
	return false;
}

static void
print_json_members(struct str values)
{
	struct str rest = values, key, value;

	printf("{\"v\":1");
	while (message_values_next(&rest, &key, &value)) {
		if (key_came_before(values, key))
			continue;
		putchar(',');
		print_json_key(values, key);
	}
}

void
print_json(struct str values)
{
	print_json_members(values);
	printf("}\n");
}

int
print_json_file(struct str values, const char *key, int fd)
{
	int failed, error;

	print_json_members(values);
	printf(",\"%s\":\"", key);
	failed = text_pieces_read(fd, print_escaped_part, NULL);
	error = errno;
	printf("\"}\n");
	errno = error;
	return failed;
}

/* Prints the first value of a key, and how many more there are. */
static void
print_cell(struct str values, const struct operator_column *c, bool is_last)
{
	struct str value = message_values_get(values, c->key);
	unsigned more = count_key(values, str_of(c->key));
	int width = c->width < 0 ? -c->width : c->width;
	int used;

	/* right-aligned values are numbers: a byte is a column */
	for (int i = (int)value.n; c->width > 0 && i < width; i++)
		putchar(' ');
	used = print_text(value);
	if (more > 1)
		used += printf(" +%u", more - 1);
	for (int i = used; c->width < 0 && i < width && !is_last; i++)
		putchar(' ');
	if (!is_last)
		printf("  ");
}

/* Finds the columns of the table that have a title; returns their number. */
static size_t
find_table_columns(
    const struct print_table *p, const struct operator_column *out[PRINT_COLUMNS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < operator_columns_count && n < PRINT_COLUMNS_MAX; i++) {
		const struct operator_column *c = &operator_columns[i];

		if (c->title && strcmp(c->row, p->row) == 0 &&
		    operator_columns_is_of(c, str_of(p->command)))
			out[n++] = c;
	}
	return n;
}

static void
print_table_line(const struct print_table *p, struct str values)
{
	const struct operator_column *columns[PRINT_COLUMNS_MAX];
	size_t n = find_table_columns(p, columns);

	for (size_t i = 0; p->rows == 0 && i < n; i++)
		printf("%*s%s", i + 1 < n ? columns[i]->width : 0, columns[i]->title,
		    i + 1 < n ? "  " : "\n");
	for (size_t i = 0; i < n; i++)
		print_cell(values, columns[i], i + 1 == n);
	putchar('\n');
}

/* --quiet: prints the id of each row, or nothing. */
static void
print_id(const struct print_table *p, struct str values)
{
	if (!p->id_key)
		return;
	(void)print_text(message_values_get(values, p->id_key));
	putchar('\n');
}

void
print_row(struct str values, void *arg)
{
	struct print_table *p = arg;

	if (p->tool->json) {
		print_json(values);
	} else if (str_eq(message_values_get(values, "row"), STR("total"))) {
		return; /* the final text of the answer has the total */
	} else if (p->tool->quiet) {
		print_id(p, values);
	} else {
		print_table_line(p, values);
	}
	p->rows++;
}

void
print_empty(const struct print_table *p, const char *words)
{
	if (p->rows == 0 && !p->tool->json && !p->tool->quiet)
		puts(words);
}

void
print_record(struct str values, void *arg)
{
	struct print_table *p = arg;
	struct str key, value;

	if (p->tool->json || p->tool->quiet) {
		if (p->tool->json)
			print_json(values);
		else
			print_id(p, values);
		p->rows++;
		return;
	}
	if (p->rows++)
		putchar('\n');
	while (message_values_next(&values, &key, &value)) {
		if (str_eq(key, STR("row")))
			continue;
		printf("%-14.*s ", STR_ARG(key));
		(void)print_text(value);
		putchar('\n');
	}
}
