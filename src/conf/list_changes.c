/*
 * list_changes: what a reload did to a list, group by group: added, removed, changed (one that goes
 * by the same name), or only their order.  Groups may hold secrets, so they are told by the name
 * that their first keys give, never whole.
 */
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "conf/value.h"
#include "conf/write.h"

enum { ITEM_BYTES_MAX = 1 << 20, NAMES_TOLD = 10, NAMES_BYTES_MAX = 4096 };

/* How many groups there are more after than before, with that text or that name. */
struct tally {
	long more;
};

/* Names of one kind, the first of them. */
struct told {
	const char *what;
	size_t count;
	struct buf names;
};

struct comparison {
	const struct key *list;
	struct map *by_text; /* by the text's hash */
	struct map *by_name; /* of those whose text is on one side only */
	struct told added, removed, changed;
};

static const void *
item_at(const struct key *list, const struct conf *c, size_t i, size_t *count_out)
{
	struct key_span span;

	memcpy(&span, (const char *)c + list->offset, sizeof span);
	*count_out = span.n;
	return i < span.n ? (const char *)span.p + i * list->item_bytes : NULL;
}

/* "erp@example.com", "127.0.0.1 465": its first key, and the second if that is a number. */
static void
item_name(const struct key *list, const void *item, struct buf *out)
{
	struct buf value;

	buf_init(&value, ITEM_BYTES_MAX);
	for (const struct key *k = list + 1; k < list + 3 && k < key_table + key_count; k++) {
		if (!(k->flags & KEY_ITEM) || (k > list + 1 && k->type != KEY_NUMBER))
			break;
		buf_reset(&value);
		value_print(k, item, &value);
		buf_addf(out, "%s%.*s", out->n ? " " : "", STR_ARG(buf_str(&value)));
	}
	buf_clear(&value);
}

static struct tally *
tally_of(struct map *m, struct str key)
{
	struct tally *t = map_get(m, key);

	if (!t) {
		t = MEM_NEW(struct tally);
		(void)map_put(m, key, t);
	}
	return t;
}

/* By its hash: no copy of a secret is left in freed memory. */
static struct tally *
tally_of_text(struct map *m, struct str text)
{
	uint64_t hash = map_hash(text);

	return tally_of(m, str_make((const char *)&hash, sizeof hash));
}

static void
clear_text(struct buf *b)
{
	if (b->p)
		mem_wipe(b->p, b->cap);
	buf_clear(b);
}

static void
count_texts(struct comparison *c, const struct conf *conf, long step)
{
	const void *item;
	struct buf text;
	size_t count;

	buf_init(&text, ITEM_BYTES_MAX);
	for (size_t i = 0; (item = item_at(c->list, conf, i, &count)); i++) {
		buf_reset(&text);
		write_item(c->list, item, CONF_ALL, true, &text);
		tally_of_text(c->by_text, buf_str(&text))->more += step;
	}
	clear_text(&text);
}

static void
tell_name(struct told *t, struct str name)
{
	if (t->count++ < NAMES_TOLD)
		buf_addf(&t->names, "%s%.*s", t->names.n ? ", " : "", STR_ARG(name));
}

/* Each group of that side whose text the other side lacks.  step 1: of the new one. */
static void
each_odd(struct comparison *c, const struct conf *conf, long step,
    void (*fn)(struct comparison *c, struct str name, long step))
{
	struct buf text, name;
	const void *item;
	size_t count;

	buf_init(&text, ITEM_BYTES_MAX);
	buf_init(&name, ITEM_BYTES_MAX);
	for (size_t i = 0; (item = item_at(c->list, conf, i, &count)); i++) {
		buf_reset(&text);
		buf_reset(&name);
		write_item(c->list, item, CONF_ALL, true, &text);
		if (tally_of_text(c->by_text, buf_str(&text))->more * step <= 0)
			continue;
		item_name(c->list, item, &name);
		fn(c, buf_str(&name), step);
	}
	clear_text(&text);
	buf_clear(&name);
}

static void
count_name(struct comparison *c, struct str name, long step)
{
	(void)step;
	tally_of(c->by_name, name)->more++;
}

/* The old side is counted by name: what has a partner there has changed. */
static void
tell_new(struct comparison *c, struct str name, long step)
{
	struct tally *old = map_get(c->by_name, name);

	(void)step;
	if (!old || old->more == 0) {
		tell_name(&c->added, name);
		return;
	}
	old->more--;
	tell_name(&c->changed, name);
}

static void
tell_old(struct comparison *c, struct str name, long step)
{
	struct tally *old = map_get(c->by_name, name);

	(void)step;
	if (!old || old->more == 0)
		return;
	old->more--;
	tell_name(&c->removed, name);
}

static void
write_told(const struct told *t, const char *before, struct buf *out)
{
	if (t->count == 0)
		return;
	buf_addf(out, "%s%zu %s (%.*s", before, t->count, t->what, STR_ARG(buf_str(&t->names)));
	if (t->count > NAMES_TOLD)
		buf_addf(out, " and %zu more", t->count - NAMES_TOLD);
	buf_addc(out, ')');
}

static void
write_comparison(const struct comparison *c, struct buf *out)
{
	size_t any = c->added.count + c->removed.count + c->changed.count;

	write_told(&c->added, "", out);
	write_told(&c->removed, c->added.count ? ", " : "", out);
	write_told(&c->changed, c->added.count + c->removed.count ? ", " : "", out);
	if (!any)
		buf_addz(out, "another order");
}

void
write_list_changes(
    const struct key *list, const struct conf *before, const struct conf *after, struct buf *out)
{
	struct comparison c = {.list = list, .by_text = map_new(), .by_name = map_new(),
	    .added.what = "added", .removed.what = "removed", .changed.what = "changed"};

	buf_init(&c.added.names, NAMES_BYTES_MAX);
	buf_init(&c.removed.names, NAMES_BYTES_MAX);
	buf_init(&c.changed.names, NAMES_BYTES_MAX);
	count_texts(&c, after, 1);
	count_texts(&c, before, -1);
	each_odd(&c, before, -1, count_name);
	each_odd(&c, after, 1, tell_new);
	each_odd(&c, before, -1, tell_old);
	write_comparison(&c, out);
	buf_clear(&c.added.names);
	buf_clear(&c.removed.names);
	buf_clear(&c.changed.names);
	map_free_all(&c.by_text);
	map_free_all(&c.by_name);
}
