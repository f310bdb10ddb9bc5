/*
 * key_lookup: finds rows of the key table, exactly and by similarity.  The table has some 80 rows
 * and is searched only while a file is read, so a linear search is enough.
 */
#include "conf/key.h"

const struct conf_key *
conf_key_find(struct str path)
{
	for (size_t i = 0; i < conf_key_count; i++)
		if (str_eq(str_of(conf_key_table[i].path), path))
			return &conf_key_table[i];
	return NULL;
}

bool
conf_key_is_group(struct str path)
{
	for (size_t i = 0; i < conf_key_count; i++) {
		struct str p = str_of(conf_key_table[i].path);

		if (p.n > path.n && p.p[path.n] == '.' && str_starts(p, path) &&
		    !(conf_key_table[i].flags & KEY_ITEM))
			return true;
	}
	return false;
}

struct str
conf_key_group(const struct conf_key *k)
{
	struct str path = str_of(k->path);
	size_t dot = str_rfind(path, '.');

	return dot < path.n ? str_upto(path, dot) : STR_NULL;
}

struct str
conf_key_name(const struct conf_key *k)
{
	struct str path = str_of(k->path);
	size_t dot = str_rfind(path, '.');

	return dot < path.n ? str_from(path, dot + 1) : path;
}

const char *
conf_key_type_name(const struct conf_key *k)
{
	static const char *const names[] = {
	    [KEY_TEXT] = "a text in double quotes",
	    [KEY_NUMBER] = "a whole number",
	    [KEY_PERCENT] = "a percentage",
	    [KEY_SWITCH] = "true or false",
	    [KEY_WORD] = "one of these words in double quotes",
	    [KEY_DURATION] = "a duration with its unit (ms, s, m, h, d)",
	    [KEY_SIZE] = "a size with its unit (B, k, M, G)",
	    [KEY_RATE] = "a rate: a count and a period",
	    [KEY_RATES] = "a rate: a count and a period",
	    [KEY_TEXTS] = "a list of texts",
	    [KEY_DURATIONS] = "a list of durations",
	    [KEY_LOG] = "a log target",
	    [KEY_LIST] = "a list of groups",
	};

	return names[k->type];
}

const char *
conf_key_example(const struct conf_key *k)
{
	return k->example ? k->example : k->dflt;
}

const struct conf_key *
conf_key_nearest(struct str group, struct str name)
{
	const struct conf_key *best = NULL;
	size_t best_distance = name.n / 3 + 2;

	for (size_t i = 0; i < conf_key_count; i++) {
		size_t d;

		if (!str_eq(conf_key_group(&conf_key_table[i]), group))
			continue;
		d = str_distance(conf_key_name(&conf_key_table[i]), name);
		if (d < best_distance) {
			best_distance = d;
			best = &conf_key_table[i];
		}
	}
	return best;
}

const char *
conf_key_nearest_group(struct str group, struct str name)
{
	static const char *const groups[] = {
	    "submission", "auth", "limits", "sender_policy", "queue", "timeouts", "dns", "log"};

	for (size_t i = 0; group.n == 0 && i < sizeof groups / sizeof groups[0]; i++)
		if (str_distance(str_of(groups[i]), name) < name.n / 3 + 1)
			return groups[i];
	return NULL;
}

const struct conf_key *
conf_key_elsewhere(struct str name)
{
	for (size_t i = 0; i < conf_key_count; i++)
		if (str_eq(conf_key_name(&conf_key_table[i]), name))
			return &conf_key_table[i];
	return NULL;
}

const struct conf_key *
conf_key_renamed(struct str path)
{
	for (size_t i = 0; i < conf_key_count; i++)
		if (conf_key_table[i].former && str_eq(str_of(conf_key_table[i].former), path))
			return &conf_key_table[i];
	return NULL;
}

const char *
conf_key_suggest(struct str path)
{
	size_t dot = str_rfind(path, '.');
	struct str group = dot < path.n ? str_upto(path, dot) : STR_NULL;
	struct str name = dot < path.n ? str_from(path, dot + 1) : path;
	const struct conf_key *renamed = conf_key_renamed(path);
	const struct conf_key *near = renamed ? renamed : conf_key_nearest(group, name);
	const char *suggested = near ? near->path : conf_key_nearest_group(group, name);

	/* the group itself may be misspelled */
	if (!suggested && (near = conf_key_elsewhere(name)))
		suggested = near->path;
	return suggested;
}
