/*
 * json: converts the grammar of the file to JSON.  The input comes from conf_write or the key
 * table, so there are no comments, no octal numbers, and only the escapes of value_print_text.
 */
#include "conf/json.h"

#include "conf/explain.h"
#include "conf/lexer.h"
#include "conf/value.h"
#include "conf/write_keys.h"

enum { JSON_BYTES_MAX = 64 << 20 };

struct conf_json {
	struct buf *out;
	bool is_value;    /* a value follows, not a name */
	bool needs_comma; /* before the next name */
};

/* \xHH becomes \u00HH; bytes that are no UTF-8 become U+FFFD, one by one. */
static void
json_add_text(struct str text, struct buf *out)
{
	while (text.n) {
		size_t step = str_utf8_step(text);

		if (str_starts(text, STR("\\x"))) {
			buf_addz(out, "\\u00");
			step = 2;
		} else if (text.p[0] == '\\' && text.n > 1) {
			step = 2;
			buf_adds(out, str_upto(text, step));
		} else if (step == 0) {
			buf_addz(out, "\\ufffd");
			step = 1;
		} else {
			buf_adds(out, str_upto(text, step));
		}
		text = str_from(text, step);
	}
}

static void
json_add_mark(struct conf_json *j, char mark)
{
	switch (mark) {
	case '=':
	case ':':
		j->is_value = true;
		return;
	case ';':
		j->is_value = false;
		j->needs_comma = true;
		return;
	case '(':
	case '[':
		buf_addc(j->out, '[');
		j->is_value = true;
		return;
	case ')':
	case ']':
		buf_addc(j->out, ']');
		return;
	default:
		buf_addc(j->out, mark);
		j->is_value = mark == ',';
		j->needs_comma = false;
	}
}

void
conf_write_json(struct str settings, struct buf *out)
{
	struct conf_json j = {.out = out};
	struct lexer_token t;
	struct lexer l;

	lexer_init(&l, settings);
	for (t = lexer_next(&l); t.kind != LEXER_END; t = lexer_next(&l)) {
		if (t.kind == LEXER_MARK)
			json_add_mark(&j, t.text.p[0]);
		else if (t.kind == LEXER_TEXT)
			json_add_text(t.text, out);
		else if (j.is_value)
			buf_adds(out, t.text);
		else
			buf_addf(out, "%s\"%.*s\":", j.needs_comma ? "," : "", STR_ARG(t.text));
	}
}

/* ---- config explain ---- */

static void
json_add_setting(const char *name, const char *text, struct buf *out)
{
	buf_addf(out, "%s = ", name);
	value_print_text(str_of(text), out);
	buf_addz(out, ";\n");
}

/* Writes the keys of a group, or those in each group of a list. */
static void
json_add_keys(struct str group, unsigned flag, struct buf *out)
{
	bool is_first = true;

	buf_addz(out, "keys = [");
	for (const struct conf_key *k = conf_key_table; k < conf_key_table + conf_key_count; k++) {
		if ((k->flags & KEY_ITEM) != flag || !str_eq(conf_key_group(k), group))
			continue;
		buf_addf(out, "%s\"%s\"", is_first ? "" : ", ", k->path);
		is_first = false;
	}
	buf_addz(out, "];\n");
}

static void
json_add_value(const char *name, const struct conf_key *k, const struct conf *c, struct buf *out)
{
	if (!c || (k->flags & KEY_ITEM))
		return;
	buf_addf(out, "%s = ", name);
	conf_write_value(k, c, CONF_ALL, false, out);
	buf_addz(out, ";\n");
}

static void
json_add_key(const struct conf_key *k, struct buf *out)
{
	struct buf type;

	buf_init(&type, 4096);
	conf_explain_type(k, &type);
	buf_addc(&type, '\0');
	json_add_setting("key", k->path, out);
	json_add_setting("help", k->help, out);
	json_add_setting("type", type.p, out);
	if (k->dflt)
		buf_addf(out, "default = %s;\n", k->dflt);
	if (conf_key_example(k))
		json_add_setting("example", conf_key_example(k), out);
	buf_addf(out, "restart = %s;\n", k->flags & KEY_RESTART ? "true" : "false");
	json_add_setting("since", EXPLAIN_SINCE, out);
	if (k->type == KEY_LIST)
		json_add_keys(str_of(k->path), KEY_ITEM, out);
	buf_clear(&type);
}

bool
conf_explain_json(
    struct str key, const struct conf *running, const struct conf *file, struct buf *out)
{
	const struct conf_key *k = conf_key_find(key);
	struct buf settings;

	if (!k && !(conf_key_is_group(key) && key.n))
		return false;
	buf_init(&settings, JSON_BYTES_MAX);
	if (k) {
		json_add_key(k, &settings);
		json_add_value("running", k, running, &settings);
		json_add_value("file", k, file, &settings);
	} else {
		buf_addf(&settings, "key = \"%.*s\";\n", STR_ARG(key));
		json_add_keys(key, 0, &settings);
	}
	conf_write_json(buf_str(&settings), out);
	buf_clear(&settings);
	return true;
}
