/*
 * conf: creates, counts and frees trees.  The defaults are written in the grammar of the file in
 * the key table, so they pass through the same parser as everything else.
 */
#include "conf/conf.h"

#include "base/mem.h"
#include "conf/anchor.h"
#include "conf/check.h"
#include "conf/list_index_make.h"
#include "conf/parser.h"
#include "conf/reload.h"
#include "conf/secret.h"
#include "conf/source_files.h"
#include "conf/syntax_check.h"
#include "conf/unix_group.h"
#include "conf/value.h"
#include "conf/write.h"

enum { CONF_ARENA_MAX = 512 << 20, REPORT_BYTES_MAX = 1 << 20 };

/* Roles also run as threads of one process and share trees, so the counter is atomic. */
struct conf *
conf_keep(struct conf *c)
{
	__atomic_add_fetch(&c->references, 1, __ATOMIC_RELAXED);
	return c;
}

static void
wipe_route_password(struct str secret)
{
	if (secret.n)
		mem_wipe((void *)(uintptr_t)secret.p, secret.n);
}

void
conf_drop(struct conf **c)
{
	struct conf *old = *c;

	*c = NULL;
	if (!old || __atomic_sub_fetch(&old->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (size_t i = 0; i < old->routes.count; i++)
		wipe_route_password(old->routes.item[i].password);
	arena_clear(&old->arena);
	mem_free(old);
}

void
conf_report_init(struct conf_report *r)
{
	*r = (struct conf_report){0};
	buf_init(&r->text, REPORT_BYTES_MAX);
}

void
conf_report_clear(struct conf_report *r)
{
	buf_clear(&r->text);
	conf_report_init(r);
}

static struct conf *
conf_new(void)
{
	struct conf *c = MEM_NEW(struct conf);

	arena_init(&c->arena, CONF_ARENA_MAX);
	c->references = 1;
	return c;
}

struct conf *
conf_default(void)
{
	struct conf *c = conf_new();
	struct conf_parse_tree *tree = NULL;
	struct conf_source source;
	struct diagnostics diagnostics;
	struct buf text;

	buf_init(&text, 1 << 16);
	diagnostics_init(&diagnostics);
	conf_source_init(&source);
	conf_write_defaults(&text);
	if (conf_source_read_text(&source, buf_str(&text), &diagnostics))
		tree = conf_parse(&source, false, c, &diagnostics);
	if (!tree || diagnostics.count)
		die("the key table's defaults do not parse");
	conf_parse_free(&tree);
	conf_source_clear(&source);
	diagnostics_clear(&diagnostics);
	buf_clear(&text);
	return c;
}

static void
complete_conf(struct conf *c)
{
	if (!c->postmaster.n)
		c->postmaster = conf_default_postmaster(c, &c->arena);
	list_index_make_all(c);
}

struct str
conf_default_postmaster(const struct conf *c, struct arena *arena)
{
	if (!c->domains.count || !c->domains.item[0].name.n)
		return STR_NULL;
	return arena_printf(arena, "postmaster@%.*s", STR_ARG(c->domains.item[0].name));
}

/* Reports the diagnostics, and frees the tree when there were errors. */
static struct conf *
finish_conf_reading(struct conf *c, struct diagnostics *diagnostics, struct conf_source *source,
    struct conf_report *report)
{
	if (diagnostics->errors)
		conf_drop(&c);
	diagnostics_report(diagnostics, source, report);
	conf_source_clear(source);
	diagnostics_clear(diagnostics);
	return c;
}

static struct str
conf_tls_location(struct conf *c, const struct conf_parse_tree *tree,
    const struct conf_source *source, size_t index, const char *name)
{
	struct conf_source_location at =
	    conf_source_location(source, conf_parse_item_line(tree, "tls", index, name));

	return arena_printf(&c->arena, "%s:%d", at.file, at.line);
}

struct conf_reading {
	const char *path;
	enum conf_secrets secrets;
	const struct conf *running; /* of a reload; NULL: for all others */
};

/* Makes the paths absolute: the files are checked later, when only the tree is left of the file. */
static void
conf_note_tls_locations(
    struct conf *c, const struct conf_parse_tree *tree, const struct conf_source *source)
{
	struct conf_tls *items = ARENA_ARRAY(&c->arena, struct conf_tls, c->tls.count + 1);

	for (size_t i = 0; i < c->tls.count; i++) {
		items[i] = c->tls.item[i];
		items[i].certificate_location =
		    conf_tls_location(c, tree, source, i, "certificate");
		items[i].private_key_location =
		    conf_tls_location(c, tree, source, i, "private_key");
	}
	c->tls.item = items;
}

/* Reads the other files that the configuration names, and looks up the system's groups. */
static void
conf_look_up(struct conf *c, const struct conf_source *source, const struct conf_parse_tree *tree,
    const struct conf_reading *reading, struct diagnostics *diagnostics)
{
	bool is_here = reading->secrets == CONF_SECRETS_READ_HERE;

	if (reading->secrets == CONF_SECRETS_LEAVE)
		return;
	if (is_here)
		conf_warn_ambiguous_logins(c, tree, diagnostics);
	conf_read_secrets(c, tree, source, is_here, diagnostics);
	anchor_check_file(c, tree, diagnostics);
	if (reading->secrets != CONF_SECRETS_COMPARE)
		unix_group_find(c, tree, reading->running, is_here, diagnostics);
}

static struct conf *
conf_read(const struct conf_reading *reading, struct conf_report *report)
{
	struct conf *c = conf_default();
	struct conf_parse_tree *tree = NULL;
	struct conf_source source;
	struct diagnostics diagnostics;

	diagnostics_init(&diagnostics);
	conf_source_init(&source);
	if (conf_source_read_file(&source, reading->path, &diagnostics))
		tree = conf_parse(&source, true, c, &diagnostics);
	if (tree) {
		complete_conf(c);
		conf_check(c, tree, &diagnostics);
		conf_note_tls_locations(c, tree, &source);
		conf_look_up(c, &source, tree, reading, &diagnostics);
	}
	conf_parse_free(&tree);
	return finish_conf_reading(c, &diagnostics, &source, report);
}

struct conf *
conf_read_file(const char *path, enum conf_secrets secrets, struct conf_report *report)
{
	const struct conf_reading reading = {.path = path, .secrets = secrets};

	return conf_read(&reading, report);
}

struct conf *
conf_read_again(const char *path, const struct conf *running, struct conf_report *report)
{
	const struct conf_reading reading = {
	    .path = path, .secrets = CONF_SECRETS_READ, .running = running};

	return conf_read(&reading, report);
}

struct conf *
conf_read_run_directory(const char *path)
{
	struct conf *c = conf_default();
	struct conf_source source;
	struct diagnostics diagnostics;
	struct str found;

	diagnostics_init(&diagnostics);
	conf_source_init(&source);
	/* what could be read is used, even when it is not everything */
	(void)!conf_source_read_file(&source, path, &diagnostics);
	found = syntax_find_text(&source, STR("run_directory"));
	if (found.n && !value_form(FORM_PATH, found))
		c->run_directory = arena_str(&c->arena, found);
	conf_source_clear(&source);
	diagnostics_clear(&diagnostics);
	return c;
}

struct conf *
conf_read_text(struct str text, struct conf_report *report)
{
	struct conf *c = conf_default();
	struct conf_parse_tree *tree = NULL;
	struct conf_source source;
	struct diagnostics diagnostics;

	diagnostics_init(&diagnostics);
	conf_source_init(&source);
	if (conf_source_read_text(&source, text, &diagnostics))
		tree = conf_parse(&source, false, c, &diagnostics);
	if (tree)
		complete_conf(c);
	conf_parse_free(&tree);
	return finish_conf_reading(c, &diagnostics, &source, report);
}
