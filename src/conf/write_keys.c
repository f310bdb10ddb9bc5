/*
 * write_keys: a writer knows only the group that is open: a key of another group closes it, so keys
 * must come group by group. What an item consists of is in the table of keys, and the form of a
 * value in value.c. A secret of an item is written only when the caller asks for it; texts that may
 * contain one are wiped.
 */
#include "conf/write_keys.h"

#include <string.h>

#include "base/mem.h"
#include "conf/value.h"

/* ---- keys ---- */

struct conf_writer
conf_writer_begin(struct buf *out)
{
	return (struct conf_writer){out, STR_NULL};
}

static void
enter_group(struct conf_writer *w, struct str group)
{
	if (str_eq(w->group, group))
		return;
	if (w->group.n)
		buf_addz(w->out, "};\n");
	if (group.n)
		buf_addf(w->out, "%.*s: {\n", STR_ARG(group));
	w->group = group;
}

void
conf_writer_add(struct conf_writer *w, const struct conf_key *k, struct str value)
{
	enter_group(w, conf_key_group(k));
	buf_addf(w->out, "%s%.*s = ", w->group.n ? "\t" : "", STR_ARG(conf_key_name(k)));
	buf_adds(w->out, value);
	buf_addz(w->out, ";\n");
}

void
conf_writer_end(struct conf_writer *w)
{
	enter_group(w, STR_NULL);
}

bool
conf_key_is_for(const struct conf_key *k, unsigned roles)
{
	return ((k->roles | CONF_MAIN) & roles) != 0;
}

void
conf_write_defaults(struct buf *out)
{
	struct conf_writer w = conf_writer_begin(out);

	for (size_t i = 0; i < conf_key_count; i++)
		if (conf_key_table[i].dflt && !(conf_key_table[i].flags & KEY_ITEM))
			conf_writer_add(&w, &conf_key_table[i], str_of(conf_key_table[i].dflt));
	conf_writer_end(&w);
}

/* ---- values ---- */

/* Is the value the one that a missing key of an item has, zero bytes? */
static bool
is_unset(const struct conf_key *k, const void *item)
{
	const char *at = (const char *)item + k->offset;

	switch (k->type) {
	case KEY_TEXT:
		return ((const struct str *)(const void *)at)->n == 0;
	case KEY_SWITCH:
		return !*(const bool *)(const void *)at;
	case KEY_TEXTS:
	case KEY_RATES:
		return ((const struct conf_key_span *)(const void *)at)->n == 0;
	default:
		return *(const int64_t *)(const void *)at == 0 &&
		       !(k->flags & (KEY_REQUIRED | KEY_SHOWN));
	}
}

void
conf_write_item(const struct conf_key *list, const void *item, unsigned roles, bool with_secrets,
    struct buf *out)
{
	struct str path = str_of(list->path);

	buf_addz(out, "{");
	for (const struct conf_key *k = list + 1; k < conf_key_table + conf_key_count; k++) {
		if (!(k->flags & KEY_ITEM) || !str_eq(conf_key_group(k), path))
			break;
		if (!conf_key_is_for(k, roles) || is_unset(k, item))
			continue;
		buf_addf(out, " %.*s = ", STR_ARG(conf_key_name(k)));
		if (k->form == FORM_SECRET && !with_secrets)
			buf_addz(out, "\"***\"");
		else
			value_print(k, item, out);
		buf_addz(out, ";");
	}
	buf_addz(out, " }");
}

void
conf_write_value(const struct conf_key *k, const struct conf *c, unsigned roles, bool with_secrets,
    struct buf *out)
{
	const char *indent = conf_key_group(k).n ? "\n\t\t" : "\n\t";
	struct conf_key_span span;

	if (k->type != KEY_LIST) {
		value_print(k, c, out);
		return;
	}
	memcpy(&span, (const char *)c + k->offset, sizeof span);
	buf_addz(out, "(");
	for (size_t i = 0; i < span.n; i++) {
		buf_addz(out, i ? "," : "");
		buf_addz(out, span.n > 1 ? indent : " ");
		conf_write_item(
		    k, (const char *)span.p + i * k->item_bytes, roles, with_secrets, out);
	}
	buf_addz(out, " )");
}

void
conf_text_wipe(struct buf *text)
{
	if (text->p)
		mem_wipe(text->p, text->cap);
	buf_clear(text);
}

bool
conf_key_differs(const struct conf_key *k, const struct conf *c, const struct conf *other)
{
	struct buf a, b;
	bool is_other;

	buf_init(&a, CONF_VALUE_TEXT_MAX);
	buf_init(&b, CONF_VALUE_TEXT_MAX);
	conf_write_value(k, c, CONF_ALL, true, &a);
	conf_write_value(k, other, CONF_ALL, true, &b);
	is_other = !str_eq(buf_str(&a), buf_str(&b));
	conf_text_wipe(&a);
	conf_text_wipe(&b);
	return is_other;
}
