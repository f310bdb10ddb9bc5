/*
 * print: see the header.  Control characters of strangers never reach the terminal.
 */
#include "main/print.h"

#include <stdio.h>

#include "ipc/message.h"

static bool
is_number_key(struct str key)
{
	static const char *const numbers[] = {"active", "age_s", "bodies_s", "bytes", "count",
	    "damages", "days_left", "deferred", "disk_s", "files_s", "free_percent", "held", "index",
	    "iterations",
	    "messages", "oldest_s", "pid", "port", "preference", "reader_s", "recipients",
	    "restarts", "route", "running", "set_aside", "silent_s", "sites", "size", "tries",
	    "unremoved", "upkeep_s", "uptime_s", "writer_s"};

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (str_eq(key, str_of(numbers[i])))
			return true;
	return false;
}

static void
print_escaped(struct str s)
{
	putchar('"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void
print_json_value(struct str key, struct str value)
{
	uint64_t number;

	if (!str_is_utf8(value))
		value = STR("?");
	if (is_number_key(key) && str_u64(value, &number))
		printf("%llu", (unsigned long long)number);
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

/* A key that comes several times becomes an array at its first place. */
static void
print_json_key(struct str values, struct str wanted)
{
	unsigned count = count_key(values, wanted), n = 0;
	bool is_list = count > 1 || str_eq(wanted, STR("to")) || str_eq(wanted, STR("names"));
	struct str key, value;

	print_escaped(wanted);
	putchar(':');
	if (is_list)
		putchar('[');
	while (message_values_next(&values, &key, &value)) {
		if (!str_eq(key, wanted))
			continue;
		if (n++)
			putchar(',');
		print_json_value(key, value);
	}
	if (is_list)
		putchar(']');
}

static bool
was_before(struct str values, struct str key_at)
{
	struct str key, value;

	while (message_values_next(&values, &key, &value) && key.p != key_at.p)
		if (str_eq(key, key_at))
			return true;
	return false;
}

static void
print_json(struct str values)
{
	struct str rest = values, key, value;

	printf("{\"v\":1");
	while (message_values_next(&rest, &key, &value)) {
		if (was_before(values, key))
			continue;
		putchar(',');
		print_json_key(values, key);
	}
	printf("}\n");
}

static void
print_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		putchar((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f ? '?' : s.p[i]);
}

/* The first value of a key, and how many more there are. */
static void
print_cell(struct str values, const struct print_column *c, bool is_last)
{
	struct str value = message_values_get(values, c->key);
	unsigned more = count_key(values, str_of(c->key));
	int width = c->width < 0 ? -c->width : c->width;
	int used = (int)value.n;

	for (int i = used; c->width > 0 && i < width; i++)
		putchar(' ');
	print_plain(value);
	if (more > 1)
		used += printf(" +%u", more - 1);
	for (int i = used; c->width < 0 && i < width && !is_last; i++)
		putchar(' ');
	if (!is_last)
		printf("  ");
}

static void
print_titles(const struct print_column *c)
{
	for (; c->key; c++)
		printf("%*s%s", c[1].key ? c->width : 0, c->title, c[1].key ? "  " : "");
	putchar('\n');
}

void
print_row(struct str values, void *arg)
{
	struct print *p = arg;

	if (p->tool->json) {
		print_json(values);
	} else if (p->tool->quiet) {
		print_plain(message_values_get(values, p->id_key));
		putchar('\n');
	} else {
		if (p->rows == 0)
			print_titles(p->columns);
		for (const struct print_column *c = p->columns; c->key; c++)
			print_cell(values, c, !c[1].key);
		putchar('\n');
	}
	p->rows++;
}

void
print_record(struct str values, void *arg)
{
	struct print *p = arg;
	struct str key, value;

	if (p->tool->json) {
		print_json(values);
		p->rows++;
		return;
	}
	if (p->rows++)
		putchar('\n');
	while (message_values_next(&values, &key, &value)) {
		printf("%-14.*s ", STR_ARG(key));
		print_plain(value);
		putchar('\n');
	}
}
