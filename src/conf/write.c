/*
 * write: writes the keys in the order of the table; the first written key of a group opens it.
 */
#include "conf/write.h"

#include <string.h>

#include "base/mem.h"
#include "conf/reload.h"
#include "conf/value.h"

enum { VALUE_BYTES_MAX = 64 << 20 };

struct conf_writer {
	struct buf *out;
	struct str group;
};

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

static void
write_key(struct conf_writer *w, const struct conf_key *k, struct str value)
{
	enter_group(w, conf_key_group(k));
	buf_addf(w->out, "%s%.*s = ", w->group.n ? "\t" : "", STR_ARG(conf_key_name(k)));
	buf_adds(w->out, value);
	buf_addz(w->out, ";\n");
}

static bool
is_for(const struct conf_key *k, unsigned roles)
{
	return ((k->roles | CONF_MAIN) & roles) != 0;
}

void
conf_write_defaults(struct buf *out)
{
	struct conf_writer w = {out, STR_NULL};

	for (size_t i = 0; i < conf_key_count; i++)
		if (conf_key_table[i].dflt && !(conf_key_table[i].flags & KEY_ITEM))
			write_key(&w, &conf_key_table[i], str_of(conf_key_table[i].dflt));
	enter_group(&w, STR_NULL);
}

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
		if (!is_for(k, roles) || is_unset(k, item))
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

static void
clear_secret(struct buf *b)
{
	if (b->p)
		mem_wipe(b->p, b->cap);
	buf_clear(b);
}

/* Does the key have another value in `other`?  Secrets are compared, not shown. */
static bool
differs(const struct conf_key *k, const struct conf *c, const struct conf *other)
{
	struct buf a, b;
	bool is_other;

	buf_init(&a, VALUE_BYTES_MAX);
	buf_init(&b, VALUE_BYTES_MAX);
	conf_write_value(k, c, CONF_ALL, true, &a);
	conf_write_value(k, other, CONF_ALL, true, &b);
	is_other = !str_eq(buf_str(&a), buf_str(&b));
	clear_secret(&a);
	clear_secret(&b);
	return is_other;
}

void
conf_write(const struct conf *c, unsigned roles, bool all, bool with_secrets, struct buf *out)
{
	struct conf *plain = conf_default();
	struct conf_writer w = {out, STR_NULL};
	struct buf value;

	plain->postmaster = conf_default_postmaster(c, &plain->arena);
	buf_init(&value, VALUE_BYTES_MAX);
	for (size_t i = 0; i < conf_key_count; i++) {
		const struct conf_key *k = &conf_key_table[i];

		if ((k->flags & KEY_ITEM) || !is_for(k, roles))
			continue;
		if (!all && !differs(k, c, plain))
			continue;
		buf_reset(&value);
		conf_write_value(k, c, roles, with_secrets, &value);
		write_key(&w, k, buf_str(&value));
	}
	enter_group(&w, STR_NULL);
	clear_secret(&value);
	conf_drop(&plain);
}

/* ---- changes ---- */

static void
report_key_change(const struct conf_key *k, const struct conf *before, const struct conf *after,
    conf_change_fn *fn, void *arg)
{
	struct conf_change change = {.key = k->path, .needs_restart = k->flags & KEY_RESTART};
	struct buf old, now, groups;

	buf_init(&old, VALUE_BYTES_MAX);
	buf_init(&now, VALUE_BYTES_MAX);
	buf_init(&groups, VALUE_BYTES_MAX);
	if (k->type == KEY_LIST) {
		conf_write_list_changes(k, before, after, &groups);
	} else {
		value_print(k, before, &old);
		value_print(k, after, &now);
	}
	change.before = buf_str(&old);
	change.after = buf_str(&now);
	change.groups = buf_str(&groups);
	fn(&change, arg);
	buf_clear(&old);
	buf_clear(&now);
	buf_clear(&groups);
}

void
conf_each_change(
    const struct conf *before, const struct conf *after, conf_change_fn *fn, void *arg)
{
	for (size_t i = 0; i < conf_key_count; i++)
		if (!(conf_key_table[i].flags & KEY_ITEM) &&
		    differs(&conf_key_table[i], before, after))
			report_key_change(&conf_key_table[i], before, after, fn, arg);
}

void
conf_write_change(const struct conf_change *change, struct buf *out)
{
	if (change->groups.n)
		buf_addf(out, "%s: %.*s", change->key, STR_ARG(change->groups));
	else
		buf_addf(out, "%s %.*s -> %.*s", change->key, STR_ARG(change->before),
		    STR_ARG(change->after));
	buf_addz(out, change->needs_restart ? " (needs a restart)\n" : "\n");
}

static void
add_change(const struct conf_change *change, void *arg)
{
	conf_write_change(change, arg);
}

/* These rows are texts and numbers only. */
void
conf_copy_restart_keys(struct conf *c, const struct conf *running)
{
	for (size_t i = 0; i < conf_key_count; i++) {
		const struct conf_key *k = &conf_key_table[i];
		const char *from = (const char *)running + k->offset;
		char *to = (char *)c + k->offset;
		struct str text;

		if (!(k->flags & KEY_RESTART))
			continue;
		if (k->type != KEY_TEXT) {
			memcpy(to, from, sizeof(int64_t));
			continue;
		}
		memcpy(&text, from, sizeof text);
		text = text.n ? arena_str(&c->arena, text) : STR_NULL;
		memcpy(to, &text, sizeof text);
	}
}

void
conf_write_changes(const struct conf *before, const struct conf *after, struct buf *out)
{
	conf_each_change(before, after, add_change, out);
}
