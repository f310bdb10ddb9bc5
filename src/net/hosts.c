/*
 * hosts: the file may be large (lists that block advertising), so only the needed entries are
 * stored: main filters the file for relay.
 */
#include "net/hosts.h"

#include "base/map.h"
#include "base/mem.h"
#include "net/endpoint.h"

enum { HOST_NAME_MAX_ = 255 };

struct hosts {
	struct map *entries; /* name in lower case -> struct hosts_entry, for all wanted names */
};

/* Converts to lower case, without a final dot.  False: too long for a host name. */
static bool
fold_host_name(struct str name, char room[HOST_NAME_MAX_], struct str *out)
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
add_wanted_host(struct hosts *h, struct str host)
{
	char room[HOST_NAME_MAX_];
	struct str name;

	if (fold_host_name(host, room, &name) && !map_get(h->entries, name))
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

typedef void line_fn(struct hosts *h, struct str name, struct str address, void *arg);

static void
add_host_address(struct hosts *h, struct str name, struct str address, void *arg)
{
	struct hosts_entry *e = map_get(h->entries, name);
	struct resolver_address a;

	(void)arg;
	a.len = endpoint_parse(address, 0, &a.sa);
	if (e->count < RESOLVER_ADDRESSES_MAX)
		e->addresses[e->count++] = a;
}

static void
copy_host_line(struct hosts *h, struct str name, struct str address, void *arg)
{
	struct hosts_entry *e = map_get(h->entries, name);

	if (e->count == RESOLVER_ADDRESSES_MAX)
		return;
	e->count++;
	buf_addf(arg, "%.*s %.*s\n", STR_ARG(address), STR_ARG(name));
}

/* Calls fn for each wanted name on the line. */
static void
read_line_of(struct hosts *h, struct str line, line_fn *fn, void *arg)
{
	struct resolver_address parsed;
	struct str address, name;
	char room[HOST_NAME_MAX_];

	line = str_upto(line, str_find(line, '#'));
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n == 0)
		return;
	address = next_word(&line);
	if (endpoint_parse(address, 0, &parsed.sa) == 0)
		return;
	while ((name = next_word(&line)).n)
		if (fold_host_name(name, room, &name) && map_get(h->entries, name))
			fn(h, name, address, arg);
}

static struct hosts *
new_for(const struct conf *conf)
{
	struct hosts *h = MEM_NEW(struct hosts);

	h->entries = map_new();
	for (size_t i = 0; i < conf->routes.count; i++)
		if (conf->routes.item[i].via != VIA_MX)
			add_wanted_host(h, conf->routes.item[i].host);
	return h;
}

struct hosts *
hosts_new(struct str text, const struct conf *conf)
{
	struct hosts *h = new_for(conf);
	struct str line;

	while (map_count(h->entries) && str_split(&text, '\n', &line))
		read_line_of(h, line, add_host_address, NULL);
	return h;
}

void
hosts_filter(struct str text, const struct conf *conf, struct buf *out)
{
	struct hosts *h = new_for(conf);
	struct str line;

	while (map_count(h->entries) && str_split(&text, '\n', &line))
		read_line_of(h, line, copy_host_line, out);
	hosts_free(&h);
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

	if (!h || !fold_host_name(host, room, &name))
		return NULL;
	e = map_get(h->entries, name);
	return e && e->count ? e : NULL;
}
