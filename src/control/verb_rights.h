/*
 * verb_rights: whether the values of a command take it from the members of help_desk_group.  Who
 * may give which command is in the table of ipc/operator_commands.h, which alone decides.
 */
#ifndef CONTROL_VERB_RIGHTS_H
#define CONTROL_VERB_RIGHTS_H

#include "ipc/operator_commands.h"

/* NULL: members of help_desk_group may give the command with these values; else its words, as the
 * tool has them. */
const char *verb_rights_root_words(const struct operator_command *c, struct str values);

#endif
