/*
 * content_cache: one allocation for each message, in a table by message id.  The table keeps the
 * order in which they came, so its first one is the oldest.
 */
#include "queue/content_cache.h"

#include <string.h>

#include "base/id_table.h"
#include "base/mem.h"

enum { SHARE_OF_ONE = 4 }; /* one message may have this part of the bound */

struct content_cache_entry {
	struct msgid id; /* first, for the table */
	unsigned uses;   /* that are left */
	uint32_t envelope_n, header_n, body_n;
	char text[];
};

struct content_cache {
	struct id_table entries;
	size_t bytes, bytes_max;
};

static size_t
content_cache_entry_bytes(const struct content_cache_entry *e)
{
	return sizeof *e + e->envelope_n + e->header_n + e->body_n;
}

void
content_cache_forget(struct content_cache *c, struct msgid id)
{
	struct content_cache_entry *e = id_table_remove(&c->entries, id);

	if (!e)
		return;
	c->bytes -= content_cache_entry_bytes(e);
	mem_free(e);
}

static void
forget_oldest_contents(struct content_cache *c, size_t bytes_max)
{
	const struct content_cache_entry *e;

	while (c->bytes > bytes_max && (e = id_table_first(&c->entries)))
		content_cache_forget(c, e->id);
}

struct content_cache *
content_cache_new(size_t bytes_max)
{
	struct content_cache *c = MEM_NEW(struct content_cache);

	id_table_init(&c->entries);
	c->bytes_max = bytes_max;
	return c;
}

void
content_cache_free(struct content_cache **c)
{
	if (!*c)
		return;
	forget_oldest_contents(*c, 0);
	id_table_clear(&(*c)->entries);
	mem_free(*c);
	*c = NULL;
}

void
content_cache_set_max(struct content_cache *c, size_t bytes_max)
{
	c->bytes_max = bytes_max;
	forget_oldest_contents(c, bytes_max);
}

static char *
add_content_part(char *to, struct str part)
{
	if (part.n)
		memcpy(to, part.p, part.n);
	return to + part.n;
}

void
content_cache_put(struct content_cache *c, struct msgid id,
    const struct content_cache_parts *parts, unsigned uses)
{
	size_t bytes = sizeof(struct content_cache_entry) + parts->envelope.n + parts->header.n +
	               parts->body.n;
	struct content_cache_entry *e;
	char *to;

	content_cache_forget(c, id);
	if (bytes > c->bytes_max / SHARE_OF_ONE || uses == 0)
		return;
	forget_oldest_contents(c, c->bytes_max - bytes);
	e = mem_new(bytes);
	*e = (struct content_cache_entry){.id = id,
	    .uses = uses,
	    .envelope_n = (uint32_t)parts->envelope.n,
	    .header_n = (uint32_t)parts->header.n,
	    .body_n = (uint32_t)parts->body.n};
	to = add_content_part(e->text, parts->envelope);
	to = add_content_part(to, parts->header);
	(void)add_content_part(to, parts->body);
	id_table_add(&c->entries, e);
	c->bytes += bytes;
}

bool
content_cache_find(const struct content_cache *c, struct msgid id, struct content_cache_parts *out)
{
	const struct content_cache_entry *e = id_table_find(&c->entries, id);

	if (!e)
		return false;
	out->envelope = str_make(e->text, e->envelope_n);
	out->header = str_make(e->text + e->envelope_n, e->header_n);
	out->body = str_make(e->text + e->envelope_n + e->header_n, e->body_n);
	return true;
}

void
content_cache_used(struct content_cache *c, struct msgid id)
{
	struct content_cache_entry *e = id_table_find(&c->entries, id);

	if (e && --e->uses == 0)
		content_cache_forget(c, id);
}

size_t
content_cache_bytes(const struct content_cache *c)
{
	return c->bytes;
}
