/*
 * operator_commands: the one table of the operator's commands: their words, arguments and options
 * for the tool, the verb of the request to the daemon, the role that answers it, and who may give
 * it.  A verb that is not here is refused for everybody.
 */
#ifndef IPC_OPERATOR_COMMANDS_H
#define IPC_OPERATOR_COMMANDS_H

#include "ipc/role.h"

/* Root and the user that the daemon runs as may give every command of the table. */
enum operator_right {
	OPERATOR_ACT,  /* no other user */
	OPERATOR_LOOK, /* also members of help_desk_group: it changes nothing and shows no secret */
	OPERATOR_HELP, /* also members of help_desk_group, although it changes something */
};

enum { OPERATOR_ARGS_MAX = 16 };

/* Rows without usage are further requests of the command with these words, or of one with an
 * option; they follow its row. */
struct operator_command {
	const char *words;      /* one or two: "queue show" */
	const char *verb;       /* of the request; NULL: the tool does it alone */
	enum role_kind owner;   /* answers the request */
	enum operator_right right;
	bool is_quick;          /* `status` must answer while a process hangs */
	const char *root_key;   /* a value with which it is OPERATOR_ACT; NULL: there is none */
	const char *root_words; /* the command with that value */
	const char *usage;      /* words and arguments */
	const char *help;
	const char *options;    /* letters of its options, see tool/main.c; NULL: none */
	int args_max;           /* words after those of the command */
	const char *since;      /* the first version that has it */
};

extern const struct operator_command operator_commands[];
extern const size_t operator_commands_count;

/* The row of that request; NULL: there is no such verb. */
const struct operator_command *operator_commands_find_verb(struct str verb);
/* Is that a quick request? */
bool operator_commands_verb_is_quick(struct str verb);
/* "root", "help desk (look)" or "help desk (act)": who may give it. */
const char *operator_commands_right_name(enum operator_right right);

#endif
