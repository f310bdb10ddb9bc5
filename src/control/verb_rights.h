/*
 * verb_rights: every command that the daemon answers, which role answers it, and who may give it.
 * This table alone decides: a command that is not in it is refused for everybody.
 */
#ifndef CONTROL_VERB_RIGHTS_H
#define CONTROL_VERB_RIGHTS_H

#include "ipc/role.h"

/* Root, and the user that the daemon runs as, may give every command of the table. */
enum verb_right {
	RIGHT_ACT,  /* and nobody else */
	RIGHT_LOOK, /* and members of help_desk_group: it changes nothing, and shows no secret */
	RIGHT_HELP, /* and they, although it changes something */
};

struct verb_rights {
	const char *verb;
	enum role_kind owner;
	enum verb_right right;
	const char *words;     /* as the tool has it, for messages */
	const char *root_key;   /* a value that makes it one of RIGHT_ACT; NULL: none does */
	const char *root_words; /* with that value */
};

extern const struct verb_rights verb_rights_table[];
extern const size_t verb_rights_count;

/* NULL: there is no such command. */
const struct verb_rights *verb_rights_find(struct str verb);
/* NULL: members of help_desk_group may give it with these values; else its words, as the tool has
 * them. */
const char *verb_rights_root_words(const struct verb_rights *r, struct str values);

#endif
