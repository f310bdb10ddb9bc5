/*
 * list_changes: the changes of a reload to a list, group by group: added, removed, changed (a group
 * with the same name in which keys differ), or only the order.  A group is named by the text of its
 * first keys.  Of a secret only the fact that it differs is shown.
 */
#include "conf/list_changes.h"

#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "conf/value.h"
#include "conf/write_keys.h"

enum { ITEM_BYTES_MAX = 1 << 20, NAMES_SHOWN = 10, NAMES_BYTES_MAX = 16384 };
/* limits for one changed group, so that all reported groups fit */
enum { KEYS_SHOWN = 6, VALUE_SHOWN_BYTES = 80 };

/* How many more groups with that text or that name there are after than before. */
struct conf_item_count {
	long more;
	long paired; /* of that name: groups before that match a group after */
};

/* Names of one kind; the first ones are stored, the others counted. */
struct conf_item_names {
	const char *what;
	size_t count;
	struct buf names;
};

struct conf_list_changes {
	const struct conf_key *list;
	const struct conf *before;
	struct map *by_text; /* key: hash of the text */
	struct map *by_name; /* only groups whose text is on one side only */
	struct conf_item_names added, removed, changed;
};

static const void *
item_at(const struct conf_key *list, const struct conf *c, size_t i, size_t *count_out)
{
	struct conf_key_span span;

	memcpy(&span, (const char *)c + list->offset, sizeof span);
	*count_out = span.n;
	return i < span.n ? (const char *)span.p + i * list->item_bytes : NULL;
}

/* The name of an item without a key, which applies to everything. */
static const char *
name_of_all(const struct conf_key *k)
{
	if (str_eq(str_of(k->path), STR("routes.to_domain")))
		return "every domain";
	return str_eq(str_of(k->path), STR("listen.address")) ? "every address" : "\"\"";
}

/* "erp@example.com", "127.0.0.1 465": the first key, and the second if that is a number. */
static void
item_name(const struct conf_key *list, const void *item, struct buf *out)
{
	struct buf value;

	buf_init(&value, ITEM_BYTES_MAX);
	for (const struct conf_key *k = list + 1;
	     k < list + 3 && k < conf_key_table + conf_key_count; k++) {
		if (!(k->flags & KEY_ITEM) || (k > list + 1 && k->type != KEY_NUMBER))
			break;
		buf_reset(&value);
		value_print(k, item, &value);
		if (str_eq(buf_str(&value), STR("\"\"")))
			buf_addz(out, name_of_all(k));
		else
			buf_addf(out, "%s%.*s", out->n ? " " : "", STR_ARG(buf_str(&value)));
	}
	buf_clear(&value);
}

static struct conf_item_count *
item_count_of(struct map *m, struct str key)
{
	struct conf_item_count *t = map_get(m, key);

	if (!t) {
		t = MEM_NEW(struct conf_item_count);
		(void)map_put(m, key, t);
	}
	return t;
}

/* Found by its hash, so that no copy of a secret is left in freed memory. */
static struct conf_item_count *
item_count_of_text(struct map *m, struct str text)
{
	uint64_t hash = map_hash(text);

	return item_count_of(m, str_make((const char *)&hash, sizeof hash));
}

static void
count_texts(struct conf_list_changes *c, const struct conf *conf, long step)
{
	const void *item;
	struct buf text;
	size_t count;

	buf_init(&text, ITEM_BYTES_MAX);
	for (size_t i = 0; (item = item_at(c->list, conf, i, &count)); i++) {
		buf_reset(&text);
		conf_write_item(c->list, item, CONF_ALL, true, &text);
		item_count_of_text(c->by_text, buf_str(&text))->more += step;
	}
	conf_text_wipe(&text);
}

static void
add_item_name(struct conf_item_names *t, struct str name)
{
	if (t->count++ < NAMES_SHOWN)
		buf_addf(&t->names, "%s%.*s", t->names.n ? ", " : "", STR_ARG(name));
}

/* Calls fn for each group of a side whose text the other side does not have.  step 1: the new side,
 * -1: the old one. */
static void
each_unmatched_item(struct conf_list_changes *c, const struct conf *conf, long step,
    void (*fn)(struct conf_list_changes *c, struct str name, const void *item))
{
	struct buf text, name;
	const void *item;
	size_t count;

	buf_init(&text, ITEM_BYTES_MAX);
	buf_init(&name, ITEM_BYTES_MAX);
	for (size_t i = 0; (item = item_at(c->list, conf, i, &count)); i++) {
		buf_reset(&text);
		buf_reset(&name);
		conf_write_item(c->list, item, CONF_ALL, true, &text);
		if (item_count_of_text(c->by_text, buf_str(&text))->more * step <= 0)
			continue;
		item_name(c->list, item, &name);
		fn(c, buf_str(&name), item);
	}
	conf_text_wipe(&text);
	buf_clear(&name);
}

static void
count_name(struct conf_list_changes *c, struct str name, const void *item)
{
	(void)item;
	item_count_of(c->by_name, name)->more++;
}

/* ---- the keys of a changed group ---- */

/* A changed group of that name in the old list, after the first `skip` of them; or NULL. */
static const void *
find_item_before(struct conf_list_changes *c, struct str wanted, long skip)
{
	const void *item, *found = NULL;
	struct buf text, name;
	size_t count;

	buf_init(&text, ITEM_BYTES_MAX);
	buf_init(&name, ITEM_BYTES_MAX);
	for (size_t i = 0; !found && (item = item_at(c->list, c->before, i, &count)); i++) {
		buf_reset(&name);
		item_name(c->list, item, &name);
		if (!str_eq(buf_str(&name), wanted))
			continue;
		buf_reset(&text);
		conf_write_item(c->list, item, CONF_ALL, true, &text);
		if (item_count_of_text(c->by_text, buf_str(&text))->more < 0 && skip-- == 0)
			found = item;
	}
	conf_text_wipe(&text);
	buf_clear(&name);
	return found;
}

static void
write_cut(struct str value, struct buf *out)
{
	buf_adds(out, str_upto(value, VALUE_SHOWN_BYTES));
	if (value.n > VALUE_SHOWN_BYTES)
		buf_addz(out, "...");
}

/* False: both have the same value. */
static bool
write_key_change(const struct conf_key *k, const void *before, const void *after, struct buf *out)
{
	struct buf a, b;
	bool is_other;

	buf_init(&a, ITEM_BYTES_MAX);
	buf_init(&b, ITEM_BYTES_MAX);
	value_print(k, before, &a);
	value_print(k, after, &b);
	is_other = !str_eq(buf_str(&a), buf_str(&b));
	if (is_other && k->form == FORM_SECRET) {
		buf_addf(out, "another %.*s", STR_ARG(conf_key_name(k)));
	} else if (is_other) {
		buf_addf(out, "%.*s ", STR_ARG(conf_key_name(k)));
		write_cut(buf_str(&a), out);
		buf_addz(out, " -> ");
		write_cut(buf_str(&b), out);
	}
	conf_text_wipe(&a);
	conf_text_wipe(&b);
	return is_other;
}

/* " [port 24 -> 2424, another password]" */
static void
write_key_changes(
    const struct conf_key *list, const void *before, const void *after, struct buf *out)
{
	struct str path = str_of(list->path);
	unsigned shown = 0, more = 0;
	struct buf change;

	buf_init(&change, ITEM_BYTES_MAX);
	for (const struct conf_key *k = list + 1; k < conf_key_table + conf_key_count; k++) {
		if (!(k->flags & KEY_ITEM) || !str_eq(conf_key_group(k), path))
			break;
		buf_reset(&change);
		if (!write_key_change(k, before, after, &change))
			continue;
		if (shown == KEYS_SHOWN)
			more++;
		else
			buf_addf(out, "%s%.*s", shown++ ? ", " : " [", STR_ARG(buf_str(&change)));
	}
	if (more)
		buf_addf(out, " and %u more", more);
	if (shown)
		buf_addc(out, ']');
	buf_clear(&change);
}

static void
add_changed_item(struct conf_list_changes *c, struct str name, const void *item, long partner)
{
	const void *before = NULL;
	struct buf text;

	buf_init(&text, ITEM_BYTES_MAX);
	buf_adds(&text, name);
	/* not for groups that are only counted */
	if (c->changed.count < NAMES_SHOWN)
		before = find_item_before(c, name, partner);
	if (before)
		write_key_changes(c->list, before, item, &text);
	add_item_name(&c->changed, buf_str(&text));
	buf_clear(&text);
}

/* The old side is counted by name: a group with a partner on the new side has changed. */
static void
add_new_item(struct conf_list_changes *c, struct str name, const void *item)
{
	struct conf_item_count *old = map_get(c->by_name, name);

	if (!old || old->more == 0) {
		add_item_name(&c->added, name);
		return;
	}
	old->more--;
	add_changed_item(c, name, item, old->paired++);
}

static void
add_removed_item(struct conf_list_changes *c, struct str name, const void *item)
{
	struct conf_item_count *old = map_get(c->by_name, name);

	(void)item;
	if (!old || old->more == 0)
		return;
	old->more--;
	add_item_name(&c->removed, name);
}

static void
write_item_names(const struct conf_item_names *t, const char *before, struct buf *out)
{
	if (t->count == 0)
		return;
	buf_addf(out, "%s%zu %s (%.*s", before, t->count, t->what, STR_ARG(buf_str(&t->names)));
	if (t->count > NAMES_SHOWN)
		buf_addf(out, " and %zu more", t->count - NAMES_SHOWN);
	buf_addc(out, ')');
}

static void
write_comparison(const struct conf_list_changes *c, struct buf *out)
{
	size_t any = c->added.count + c->removed.count + c->changed.count;

	write_item_names(&c->added, "", out);
	write_item_names(&c->removed, c->added.count ? ", " : "", out);
	write_item_names(&c->changed, c->added.count + c->removed.count ? ", " : "", out);
	if (!any)
		buf_addz(out, "another order");
}

void
conf_write_list_changes(const struct conf_key *list, const struct conf *before,
    const struct conf *after, struct buf *out)
{
	struct conf_list_changes c = {.list = list, .before = before, .by_text = map_new(),
	    .by_name = map_new(),
	    .added.what = "added", .removed.what = "removed", .changed.what = "changed"};

	buf_init(&c.added.names, NAMES_BYTES_MAX);
	buf_init(&c.removed.names, NAMES_BYTES_MAX);
	buf_init(&c.changed.names, NAMES_BYTES_MAX);
	count_texts(&c, after, 1);
	count_texts(&c, before, -1);
	each_unmatched_item(&c, before, -1, count_name);
	each_unmatched_item(&c, after, 1, add_new_item);
	each_unmatched_item(&c, before, -1, add_removed_item);
	write_comparison(&c, out);
	buf_clear(&c.added.names);
	buf_clear(&c.removed.names);
	buf_clear(&c.changed.names);
	map_free_all(&c.by_text);
	map_free_all(&c.by_name);
}
