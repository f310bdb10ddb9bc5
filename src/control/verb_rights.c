/*
 * verb_rights: looks for the value that needs root.
 */
#include "control/verb_rights.h"

#include "ipc/message.h"

/* The key may stand anywhere in the list, with any value: the role that reads the values might use
 * only one of them. */
static bool
verb_rights_has_key(struct str values, const char *wanted)
{
	struct str key, value;

	while (message_values_next(&values, &key, &value))
		if (str_eq(key, str_of(wanted)))
			return true;
	return false;
}

const char *
verb_rights_root_words(const struct operator_command *c, struct str values)
{
	if (c->root_key && verb_rights_has_key(values, c->root_key))
		return c->root_words;
	return c->right == OPERATOR_ACT ? c->words : NULL;
}
