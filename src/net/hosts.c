/*
 * hosts: the file may be large (lists against advertising), so only what is needed is kept.
 */
#include "net/hosts.h"

#include "base/map.h"
#include "base/mem.h"
#include "net/endpoint.h"

enum { HOST_NAME_MAX_ = 255 };

struct hosts {
	struct map *entries; /* name, lower case -> struct hosts_entry, of all wanted names */
};

/* In lower case, without a final dot.  False: too long for a host name. */
static bool
fold(struct str name, char room[HOST_NAME_MAX_], struct str *out)
{
	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n == 0 || name.n > HOST_NAME_MAX_)
		return false;
	for (size_t i = 0; i < name.n; i++)
		room[i] = char_lower(name.p[i]);
	*out = str_make(room, name.n);
	return true;
}

static void
want(struct hosts *h, struct str host)
{
	char room[HOST_NAME_MAX_];
	struct str name;

	if (fold(host, room, &name) && !map_get(h->entries, name))
		(void)!map_put(h->entries, name, MEM_NEW(struct hosts_entry));
}

static struct str
next_word(struct str *line)
{
	size_t from = 0, to;

	while (from < line->n && (line->p[from] == ' ' || line->p[from] == '\t'))
		from++;
	for (to = from; to < line->n && line->p[to] != ' ' && line->p[to] != '\t';)
		to++;
	*line = str_from(*line, to);
	return str_make(line->p - (to - from), to - from);
}

static void
add(struct hosts *h, struct str name, const struct resolver_address *address)
{
	char room[HOST_NAME_MAX_];
	struct hosts_entry *e;

	if (!fold(name, room, &name))
		return;
	e = map_get(h->entries, name);
	if (e && e->count < RESOLVER_ADDRESSES_MAX)
		e->addresses[e->count++] = *address;
}

static void
read_line_of(struct hosts *h, struct str line)
{
	struct resolver_address address;
	struct str word;

	line = str_upto(line, str_find(line, '#'));
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n == 0)
		return;
	word = next_word(&line);
	address.len = endpoint_parse(word, 0, &address.sa);
	if (address.len == 0)
		return;
	while ((word = next_word(&line)).n)
		add(h, word, &address);
}

struct hosts *
hosts_new(struct str text, const struct conf *conf)
{
	struct hosts *h = MEM_NEW(struct hosts);
	struct str line;

	h->entries = map_new();
	for (size_t i = 0; i < conf->routes.count; i++)
		if (conf->routes.item[i].via != VIA_MX)
			want(h, conf->routes.item[i].host);
	while (map_count(h->entries) && str_split(&text, '\n', &line))
		read_line_of(h, line);
	return h;
}

void
hosts_free(struct hosts **h)
{
	if (!*h)
		return;
	map_free_all(&(*h)->entries);
	mem_free(*h);
	*h = NULL;
}

const struct hosts_entry *
hosts_find(const struct hosts *h, struct str host)
{
	char room[HOST_NAME_MAX_];
	const struct hosts_entry *e;
	struct str name;

	if (!h || !fold(host, room, &name))
		return NULL;
	e = map_get(h->entries, name);
	return e && e->count ? e : NULL;
}
