/*
 * explain: all words come from the table of keys: nothing here knows a single key. The command and
 * the manual page take type and default from the same functions, so they cannot differ. Whether
 * file and daemon differ is decided by the written values, in which secrets are hidden.
 */
#include "conf/explain.h"

#include "conf/value.h"
#include "conf/write_keys.h"

enum { EXPLAIN_BYTES_MAX = 64 << 20 };

static bool
has_range(const struct conf_key *k)
{
	return k->type == KEY_NUMBER || k->type == KEY_PERCENT || k->type == KEY_DURATION ||
	       k->type == KEY_SIZE;
}

static void
explain_bound(const struct conf_key *k, int64_t n, struct buf *out)
{
	if (k->type == KEY_DURATION)
		value_print_duration(n, out);
	else if (k->type == KEY_SIZE)
		value_print_size((uint64_t)n, out);
	else
		buf_addf(out, "%lld%s", (long long)n, k->type == KEY_PERCENT ? "%" : "");
}

void
conf_explain_type(const struct conf_key *k, struct buf *out)
{
	buf_addz(out, conf_key_type_name(k));
	if (k->form != FORM_ANY)
		buf_addf(out, ": %s", value_form(k->form, STR_NULL));
	for (size_t i = 0; k->words && k->words[i]; i++)
		buf_addf(out, "%s\"%s\"", i ? ", " : ": ", k->words[i]);
	if (k->flags & KEY_SINGLE)
		buf_addz(out, ", or one group");
	if (!has_range(k))
		return;
	buf_addz(out, ", from ");
	explain_bound(k, k->min, out);
	buf_addz(out, " to ");
	explain_bound(k, k->max, out);
}

static const char *
default_text(const struct conf_key *k)
{
	if (k->dflt)
		return k->dflt;
	return k->flags & KEY_REQUIRED ? "none, must be given" : "none";
}

static void
print_items(const struct conf_key *list, struct buf *out)
{
	struct str path = str_of(list->path);

	for (const struct conf_key *k = list + 1; k < conf_key_table + conf_key_count; k++) {
		if (!(k->flags & KEY_ITEM) || !str_eq(conf_key_group(k), path))
			break;
		buf_addf(out, "%s%s", k == list + 1 ? "in each  " : ", ", k->path);
	}
	buf_addc(out, '\n');
}

/* Lists each key of the group with the first sentence of its help. */
static void
explain_group(struct str group, struct buf *out)
{
	buf_addf(out, "%.*s\nA group of keys; `config explain KEY` tells more of one.\n\n",
	    STR_ARG(group));
	for (const struct conf_key *k = conf_key_table; k < conf_key_table + conf_key_count; k++) {
		struct str help = str_of(k->help);

		if ((k->flags & KEY_ITEM) || !str_eq(conf_key_group(k), group))
			continue;
		while (help.n && !(help.p[0] == '.' && (help.n == 1 || help.p[1] == ' ')))
			help = str_from(help, 1);
		buf_addf(out, "%-32s %.*s\n", k->path, (int)(help.p - k->help), k->help);
	}
}

/* The value in one of them, or in both where they differ. */
static void
explain_values(const struct conf_key *k, const struct conf *running, const struct conf *file,
    struct buf *out)
{
	struct buf now, written;

	buf_init(&now, EXPLAIN_BYTES_MAX);
	buf_init(&written, EXPLAIN_BYTES_MAX);
	if (running)
		conf_write_value(k, running, CONF_ALL, false, &now);
	if (file)
		conf_write_value(k, file, CONF_ALL, false, &written);
	if (running)
		buf_addf(out, "now      %.*s\n", STR_ARG(buf_str(&now)));
	if (file && !(running && str_eq(buf_str(&now), buf_str(&written)))) {
		buf_addf(out, "in file  %.*s\n", STR_ARG(buf_str(&written)));
		if (running)
			buf_addf(out, "         the file is not in force: it needs a %s\n",
			    k->flags & KEY_RESTART ? "restart" : "reload");
	}
	buf_clear(&now);
	buf_clear(&written);
}

bool
conf_explain(
    struct str key, const struct conf *running, const struct conf *file, struct buf *out)
{
	const struct conf_key *k = conf_key_find(key);

	if (!k && conf_key_is_group(key) && key.n) {
		explain_group(key, out);
		return true;
	}
	if (!k)
		return false;
	buf_addf(out, "%s\n%s\n\ntype     ", k->path, k->help);
	conf_explain_type(k, out);
	buf_addf(out, "\ndefault  %s\n", default_text(k));
	if (conf_key_example(k))
		buf_addf(
		    out, "example  %.*s = %s;\n", STR_ARG(conf_key_name(k)), conf_key_example(k));
	buf_addf(out, "reload   %s\nsince    %s\n",
	    k->flags & KEY_RESTART ? "no, needs a restart" : "yes", EXPLAIN_SINCE);
	if (k->type == KEY_LIST)
		print_items(k, out);
	if (!(k->flags & KEY_ITEM))
		explain_values(k, running, file, out);
	return true;
}

/* The width of the last line of out. */
static size_t
last_line_bytes(const struct buf *out)
{
	struct str text = buf_str(out);
	size_t newline = str_rfind(text, '\n');

	return newline == text.n ? text.n : text.n - newline - 1;
}

static size_t
word_bytes(struct str text, size_t from)
{
	return str_find(str_from(text, from), ' ');
}

/* mdoc gives a meaning to a dot or quote at the start of a line, and to a backslash anywhere; and a
 * new sentence begins a new line. */
static void
add_mdoc(struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		bool is_start = last_line_bytes(out) == 0;
		bool is_end = i && (text.p[i - 1] == '.' || text.p[i - 1] == '?');

		if (c == '\\')
			buf_addz(out, "\\e");
		else if (c == ' ' &&
		         (is_end || last_line_bytes(out) + word_bytes(text, i + 1) > 76))
			buf_addc(out, '\n');
		else
			buf_addf(out, "%s%c", is_start && (c == '.' || c == '\'') ? "\\&" : "", c);
	}
	buf_addc(out, '\n');
}

static void
add_mdoc_fact(const char *label, struct str text, struct buf *out)
{
	buf_addf(out, ".It %s:\n", label);
	add_mdoc(text, out);
}

static void
add_mdoc_key(const struct conf_key *k, struct buf *out)
{
	struct buf type;

	buf_init(&type, 4096);
	conf_explain_type(k, &type);
	buf_addf(out, ".It Ic %s\n", k->path);
	add_mdoc(str_of(k->help), out);
	buf_addz(out, ".Bl -tag -width \"Default:\" -compact\n");
	add_mdoc_fact("Type", buf_str(&type), out);
	add_mdoc_fact("Default", str_of(default_text(k)), out);
	if (k->example)
		add_mdoc_fact("Example", str_of(k->example), out);
	if (k->flags & KEY_RESTART)
		add_mdoc_fact("Reload", STR("needs a restart"), out);
	buf_addz(out, ".El\n");
	buf_clear(&type);
}

/* The section of a key: a group, a list with its items, or the single keys. */
static struct str
section_of(const struct conf_key *k)
{
	struct str path = str_of(k->path);
	size_t dot = str_find(path, '.');

	if (dot == path.n && k->type != KEY_LIST)
		return STR("The gateway");
	return str_upto(path, dot);
}

void
conf_write_mdoc(struct buf *out)
{
	struct str section = STR_NULL;

	for (size_t i = 0; i < conf_key_count; i++) {
		struct str next = section_of(&conf_key_table[i]);

		if (!str_eq(section, next)) {
			buf_addf(out, "%s.Ss %.*s\n.Bl -tag -width Ds\n", i ? ".El\n" : "",
			    STR_ARG(next));
			section = next;
		}
		add_mdoc_key(&conf_key_table[i], out);
	}
	buf_addz(out, ".El\n");
}
