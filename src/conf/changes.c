/*
 * changes: the values before and after are compared as text.
 */
#include "conf/changes.h"

#include <string.h>

#include "conf/list_changes.h"
#include "conf/value.h"
#include "conf/write_keys.h"

static void
report_key_change(const struct conf_key *k, const struct conf *before, const struct conf *after,
    conf_change_fn *fn, void *arg)
{
	struct conf_change change = {.key = k->path, .needs_restart = k->flags & KEY_RESTART};
	struct buf old, now, groups;

	buf_init(&old, CONF_VALUE_TEXT_MAX);
	buf_init(&now, CONF_VALUE_TEXT_MAX);
	buf_init(&groups, CONF_VALUE_TEXT_MAX);
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
		    conf_key_differs(&conf_key_table[i], before, after))
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
