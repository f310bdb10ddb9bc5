/*
 * unix_group: the system group that help_desk_group names.
 */
#ifndef CONF_UNIX_GROUP_H
#define CONF_UNIX_GROUP_H

#include "conf/parser.h"

/* Looks the group up and sets c->has_help_desk and c->help_desk; a group that cannot be used is an
 * error.  The call may take as long as a directory service takes.
 *
 * running: for a reload, which copies the result from there if the name is the same; NULL: no
 * reload.  When the group does not exist, or cannot be looked up, a reload with another name is
 * refused, and so is a file that is checked when the group does not exist; otherwise the daemon
 * runs without the group.
 *
 * is_here: the caller may be another process than the daemon; then a group to which the caller does
 * not belong is only a warning. */
void unix_group_find(struct conf *c, const struct conf_parse_tree *tree, const struct conf *running,
    bool is_here, struct diagnostics *diagnostics);

#endif
