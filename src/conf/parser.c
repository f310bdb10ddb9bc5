/*
 * parser: the only file that uses libconfig.  It visits the tree once.  Each name is looked up in
 * the key table, each value is checked for its type and stored.  Errors do not stop it.
 */
#include "conf/parser.h"

#include <libconfig.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "conf/syntax_check.h"
#include "conf/value.h"

enum { PATH_BYTES = 200, WHY_BYTES = 1024 };

struct conf_parse_tree {
	config_t config;
};

struct conf_parser {
	struct conf *conf;
	struct diagnostics *diagnostics;
	bool is_whole;
};

static void conf_parse_group(
    struct conf_parser *r, config_setting_t *group, struct str path, void *base);

static int
setting_line(config_setting_t *s)
{
	return (int)config_setting_source_line(s);
}

/* A number without the required unit is shown unchanged, so that the correction is obvious. */
static void
add_type_error(struct conf_parser *r, const struct conf_key *k, config_setting_t *s)
{
	const char *example = conf_key_example(k);
	char shown[48] = "";

	if (config_setting_type(s) == CONFIG_TYPE_INT)
		snprintf(shown, sizeof shown, "%d: ", config_setting_get_int(s));
	else if (config_setting_type(s) == CONFIG_TYPE_INT64)
		snprintf(shown, sizeof shown, "%lld: ", config_setting_get_int64(s));
	diagnostics_add(r->diagnostics, setting_line(s), DIAGNOSTIC_ERROR,
	    "%s\"%s\" must be %s%s%s", shown, k->path, conf_key_type_name(k),
	    example ? ", for example " : "", example ? example : "");
}

static void
conf_parse_text(struct conf_parser *r, const struct conf_key *k, config_setting_t *s, void *base)
{
	struct buf why;

	if (config_setting_type(s) != CONFIG_TYPE_STRING) {
		add_type_error(r, k, s);
		return;
	}
	buf_init(&why, WHY_BYTES);
	if (!value_set(k, str_of(config_setting_get_string(s)), base, &r->conf->arena, &why))
		diagnostics_add(r->diagnostics, setting_line(s), DIAGNOSTIC_ERROR, "%s: %.*s",
		    k->path, STR_ARG(buf_str(&why)));
	buf_clear(&why);
}

static void
conf_parse_number(struct conf_parser *r, const struct conf_key *k, config_setting_t *s, void *base)
{
	int type = config_setting_type(s);
	long long n;
	struct buf why;

	if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) {
		add_type_error(r, k, s);
		return;
	}
	n = type == CONFIG_TYPE_INT ? config_setting_get_int(s) : config_setting_get_int64(s);
	buf_init(&why, WHY_BYTES);
	if (!value_set_number(k, n, base, &why))
		diagnostics_add(r->diagnostics, setting_line(s), DIAGNOSTIC_ERROR, "%lld: %s %.*s",
		    n, k->path, STR_ARG(buf_str(&why)));
	buf_clear(&why);
}

static void
conf_parse_switch(struct conf_parser *r, const struct conf_key *k, config_setting_t *s, void *base)
{
	if (config_setting_type(s) != CONFIG_TYPE_BOOL)
		add_type_error(r, k, s);
	else
		*(bool *)((char *)base + k->offset) = config_setting_get_bool(s);
}

static bool
is_word_of(const struct conf_key *k, struct str text)
{
	for (size_t i = 0; k->words[i]; i++)
		if (str_eq(str_of(k->words[i]), text))
			return true;
	return false;
}

/* Adds one text of a list; false, and an error, when it does not fit. */
static bool
is_valid_element(
    struct conf_parser *r, const struct conf_key *k, config_setting_t *s, struct str text)
{
	const char *wanted = k->words ? NULL : value_form(k->form, text);

	if (k->words && !is_word_of(k, text)) {
		diagnostics_add(r->diagnostics, setting_line(s), DIAGNOSTIC_ERROR,
		    "%s: \"%.*s\" is not known; for example %s", k->path,
		    STR_ARG(str_upto(text, 60)), conf_key_example(k));
		return false;
	}
	if (wanted)
		diagnostics_add(r->diagnostics, setting_line(s), DIAGNOSTIC_ERROR,
		    "%s: \"%.*s\" is not %s, for example %s", k->path, STR_ARG(str_upto(text, 100)),
		    wanted, conf_key_example(k));
	return !wanted;
}

static void
conf_parse_texts(
    struct conf_parser *r, const struct conf_key *k, config_setting_t *list, void *base)
{
	int n = config_setting_length(list);
	struct str *texts = ARENA_ARRAY(&r->conf->arena, struct str, n ? (size_t)n : 1);

	for (int i = 0; i < n; i++) {
		config_setting_t *s = config_setting_get_elem(list, (unsigned)i);
		struct str text;

		if (config_setting_type(s) != CONFIG_TYPE_STRING) {
			add_type_error(r, k, s);
			return;
		}
		text = str_of(config_setting_get_string(s));
		if (!is_valid_element(r, k, s, text))
			return;
		texts[i] = arena_str(&r->conf->arena, text);
	}
	*(struct conf_strs *)((char *)base + k->offset) = (struct conf_strs){texts, (size_t)n};
}

static void
conf_parse_durations(
    struct conf_parser *r, const struct conf_key *k, config_setting_t *list, void *base)
{
	int n = config_setting_length(list);
	int64_t *ms = ARENA_ARRAY(&r->conf->arena, int64_t, n ? (size_t)n : 1);
	struct conf_key_span span = {ms, (size_t)n};

	for (int i = 0; i < n; i++) {
		config_setting_t *s = config_setting_get_elem(list, (unsigned)i);

		if (config_setting_type(s) != CONFIG_TYPE_STRING) {
			add_type_error(r, k, s);
			return;
		}
		if (!value_duration(str_of(config_setting_get_string(s)), &ms[i]) || ms[i] < 1000 ||
		    ms[i] > INT64_C(30) * 86400000) {
			diagnostics_add(r->diagnostics, setting_line(s), DIAGNOSTIC_ERROR,
			    "%s: \"%s\" is not a duration between 1s and 30d, for example \"5m\"",
			    k->path, config_setting_get_string(s));
			return;
		}
	}
	memcpy((char *)base + k->offset, &span, sizeof span);
}

/* For lists of texts and durations: ( ) and [ ] are the same. */
static void
conf_parse_value_list(
    struct conf_parser *r, const struct conf_key *k, config_setting_t *s, void *base)
{
	int type = config_setting_type(s), n = config_setting_length(s);

	if (type != CONFIG_TYPE_LIST && type != CONFIG_TYPE_ARRAY) {
		add_type_error(r, k, s);
		return;
	}
	if (k->type == KEY_TEXTS)
		conf_parse_texts(r, k, s, base);
	else
		conf_parse_durations(r, k, s, base);
	if (n < k->min)
		diagnostics_add(r->diagnostics, setting_line(s), DIAGNOSTIC_ERROR,
		    "%s: at least one is needed, for example %s", k->path, conf_key_example(k));
	if (n > k->max)
		diagnostics_add(r->diagnostics, setting_line(s), DIAGNOSTIC_ERROR,
		    "%s: at most %lld may stand here", k->path, (long long)k->max);
}

static void
conf_parse_item(struct conf_parser *r, const struct conf_key *k, config_setting_t *s, void *item)
{
	struct str path = str_of(k->path);

	if (config_setting_type(s) != CONFIG_TYPE_GROUP) {
		add_type_error(r, k, s);
		return;
	}
	conf_parse_group(r, s, path, item);
	for (size_t i = 0; r->is_whole && i < conf_key_count; i++) {
		const struct conf_key *child = &conf_key_table[i];

		if ((child->flags & KEY_REQUIRED) && str_eq(conf_key_group(child), path) &&
		    !config_setting_get_member(s, conf_key_name(child).p))
			diagnostics_add(r->diagnostics, setting_line(s), DIAGNOSTIC_ERROR,
			    "\"%s\" is missing in this group, for example %.*s = %s;", child->path,
			    STR_ARG(conf_key_name(child)), conf_key_example(child));
	}
}

static void
conf_parse_list(struct conf_parser *r, const struct conf_key *k, config_setting_t *s, void *base)
{
	bool is_single = (k->flags & KEY_SINGLE) && config_setting_type(s) == CONFIG_TYPE_GROUP;
	int n = is_single ? 1 : config_setting_length(s);
	struct conf_key_span span = {.n = (size_t)n};
	char *items;

	/* an empty array is accepted as an empty list */
	if (!is_single && config_setting_type(s) != CONFIG_TYPE_LIST &&
	    !(config_setting_type(s) == CONFIG_TYPE_ARRAY && n == 0)) {
		add_type_error(r, k, s);
		return;
	}
	if (n > k->max) {
		diagnostics_add(r->diagnostics, setting_line(s), DIAGNOSTIC_ERROR,
		    "%s: at most %lld groups may stand here", k->path, (long long)k->max);
		return;
	}
	items = arena_new(&r->conf->arena, span.n * k->item_bytes + 1);
	span.p = items;
	memcpy((char *)base + k->offset, &span, sizeof span);
	for (int i = 0; i < n; i++)
		conf_parse_item(r, k, is_single ? s : config_setting_get_elem(s, (unsigned)i),
		    items + (size_t)i * k->item_bytes);
}

static void
conf_parse_key(struct conf_parser *r, const struct conf_key *k, config_setting_t *s, void *base)
{
	switch (k->type) {
	case KEY_LIST:
		conf_parse_list(r, k, s, base);
		break;
	case KEY_TEXTS:
	case KEY_DURATIONS:
		conf_parse_value_list(r, k, s, base);
		break;
	case KEY_NUMBER:
		conf_parse_number(r, k, s, base);
		break;
	case KEY_SWITCH:
		conf_parse_switch(r, k, s, base);
		break;
	default:
		conf_parse_text(r, k, s, base);
		break;
	}
}

static void
add_unknown_key_error(
    struct conf_parser *r, config_setting_t *s, struct str group, const char *path)
{
	struct str name = str_of(config_setting_name(s));
	const struct conf_key *near = conf_key_nearest(group, name),
	                      *else_where = conf_key_elsewhere(name),
	                      *renamed = conf_key_renamed(str_of(path));
	const char *suggested = conf_key_nearest_group(group, name);
	int line = setting_line(s);

	if (renamed)
		diagnostics_add(r->diagnostics, line, DIAGNOSTIC_ERROR,
		    "the key \"%s\" is named \"%s\" now", path, renamed->path);
	else if (near)
		diagnostics_add(r->diagnostics, line, DIAGNOSTIC_ERROR,
		    "unknown key \"%s\"; did you mean \"%.*s\"?", path,
		    STR_ARG(conf_key_name(near)));
	else if (suggested)
		diagnostics_add(r->diagnostics, line, DIAGNOSTIC_ERROR,
		    "unknown key \"%s\"; did you mean the group \"%s\"?", path, suggested);
	else if (else_where)
		diagnostics_add(r->diagnostics, line, DIAGNOSTIC_ERROR,
		    "unknown key \"%s\"; did you mean \"%s\"?", path, else_where->path);
	else
		diagnostics_add(r->diagnostics, line, DIAGNOSTIC_ERROR, "unknown key \"%s\"", path);
}

static void
conf_parse_group(struct conf_parser *r, config_setting_t *group, struct str path, void *base)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
		char full[PATH_BYTES];
		const struct conf_key *k;

		snprintf(full, sizeof full, "%.*s%s%s", STR_ARG(path), path.n ? "." : "",
		    config_setting_name(s));
		k = conf_key_find(str_of(full));
		if (k)
			conf_parse_key(r, k, s, base);
		else if (!conf_key_is_group(str_of(full)))
			add_unknown_key_error(r, s, path, full);
		else if (config_setting_type(s) == CONFIG_TYPE_GROUP)
			conf_parse_group(r, s, str_of(full), base);
		else
			diagnostics_add(r->diagnostics, setting_line(s), DIAGNOSTIC_ERROR,
			    "\"%s\" must be a group: %s: { … };", full, full);
	}
}

static void
check_required_keys(struct conf_parser *r, const config_t *config)
{
	for (size_t i = 0; i < conf_key_count; i++) {
		const struct conf_key *k = &conf_key_table[i];

		if ((k->flags & KEY_REQUIRED) && !(k->flags & KEY_ITEM) &&
		    !config_lookup(config, k->path))
			diagnostics_add(r->diagnostics, 0, DIAGNOSTIC_ERROR,
			    "\"%s\" is missing, for example %s = %s;", k->path, k->path,
			    conf_key_example(k));
	}
}

struct conf_parse_tree *
conf_parse(
    const struct conf_source *s, bool is_whole, struct conf *c, struct diagnostics *diagnostics)
{
	struct conf_parser r = {c, diagnostics, is_whole};
	struct conf_parse_tree *t;

	if (!syntax_check_values(s, diagnostics))
		return NULL;
	t = MEM_NEW(struct conf_parse_tree);
	config_init(&t->config);
	/* includes are already in the text; if libconfig sees one anyway, it finds no file here */
	config_set_include_dir(&t->config, "/nonexistent");
	if (!config_read_string(&t->config, s->text.p)) {
		syntax_explain_error(
		    s, config_error_line(&t->config), config_error_text(&t->config), diagnostics);
		conf_parse_free(&t);
		return NULL;
	}
	conf_parse_group(&r, config_root_setting(&t->config), STR_NULL, c);
	if (is_whole)
		check_required_keys(&r, &t->config);
	return t;
}

void
conf_parse_free(struct conf_parse_tree **t)
{
	if (!*t)
		return;
	config_destroy(&(*t)->config);
	mem_free(*t);
	*t = NULL;
}

int
conf_parse_line(const struct conf_parse_tree *t, const char *path)
{
	char part[PATH_BYTES];
	config_setting_t *s;
	char *dot;

	snprintf(part, sizeof part, "%s", path);
	for (;;) {
		s = config_lookup(&t->config, part);
		if (s)
			return setting_line(s);
		dot = strrchr(part, '.');
		if (!dot)
			return 0;
		*dot = '\0';
	}
}

int
conf_parse_item_line(
    const struct conf_parse_tree *t, const char *list, size_t index, const char *name)
{
	config_setting_t *s = config_lookup(&t->config, list), *key;

	if (s && config_setting_type(s) != CONFIG_TYPE_GROUP)
		s = config_setting_get_elem(s, (unsigned)index);
	if (!s)
		return 0;
	key = config_setting_get_member(s, name);
	return setting_line(key ? key : s);
}
