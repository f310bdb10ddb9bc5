/*
 * read: a new tree has the defaults, and the keys of the text replace them.
 */
#include "conf/read.h"

#include "conf/anchor.h"
#include "conf/check.h"
#include "conf/defaults.h"
#include "conf/list_index_make.h"
#include "conf/parser.h"
#include "conf/secret.h"
#include "conf/source_files.h"
#include "conf/syntax_check.h"
#include "conf/unix_group.h"
#include "conf/value.h"

static void
complete_conf(struct conf *c)
{
	if (!c->postmaster.n)
		c->postmaster = conf_default_postmaster(c, &c->arena);
	list_index_make_all(c);
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
