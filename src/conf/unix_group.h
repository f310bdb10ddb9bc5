/*
 * unix_group: the system's group that help_desk_group names.
 */
#ifndef CONF_UNIX_GROUP_H
#define CONF_UNIX_GROUP_H

#include "conf/parser.h"

/* Looks it up, for c->has_help_desk and c->help_desk; what cannot be used is an error.  That may
 * take as long as a directory service does.
 * running: of a reload, which takes from there what has the same name; NULL: of none.  Where the
 * group is not found, or cannot be looked up, a reload that brings another name is refused, and so
 * is a file that is checked when the group is not found; all else goes on without the group.
 * is_here: the caller need not be the daemon; a group which is none of the caller's is a warning
 * then. */
void unix_group_find(struct conf *c, const struct conf_parse_tree *tree, const struct conf *running,
    bool is_here, struct diagnostics *notes);

#endif
