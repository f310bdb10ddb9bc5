/*
 * verb_rights: every command that the daemon answers, which role answers it, and who may give it.
 * This table alone decides: a command that is not in it is refused for everybody.
 */
#ifndef CONTROL_VERB_RIGHTS_H
#define CONTROL_VERB_RIGHTS_H

#include "ipc/role.h"

/* Root and the user that the daemon runs as may give every command of the table. */
enum verb_right {
	RIGHT_ACT,  /* no other user */
	RIGHT_LOOK, /* also members of help_desk_group: it changes nothing and shows no secret */
	RIGHT_HELP, /* also members of help_desk_group, although it changes something */
};

struct verb_rights {
	const char *verb;
	enum role_kind owner;
	enum verb_right right;
	const char *words;      /* the command as the tool has it, for messages */
	const char *root_key;   /* a value with which it is RIGHT_ACT; NULL: there is none */
	const char *root_words; /* the command with that value */
};

extern const struct verb_rights verb_rights_table[];
extern const size_t verb_rights_count;

/* NULL: there is no such command. */
const struct verb_rights *verb_rights_find(struct str verb);
/* NULL: members of help_desk_group may give the command with these values; else its words, as the
 * tool has them. */
const char *verb_rights_root_words(const struct verb_rights *r, struct str values);

#endif
