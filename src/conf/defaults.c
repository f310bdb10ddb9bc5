/*
 * defaults: they are written in the grammar of the file in the key table, so they pass through the
 * same parser as everything else.
 */
#include "conf/defaults.h"

#include "base/mem.h"
#include "conf/parser.h"
#include "conf/source_files.h"
#include "conf/write_keys.h"

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

struct str
conf_default_postmaster(const struct conf *c, struct arena *arena)
{
	if (!c->domains.count || !c->domains.item[0].name.n)
		return STR_NULL;
	return arena_printf(arena, "postmaster@%.*s", STR_ARG(c->domains.item[0].name));
}
