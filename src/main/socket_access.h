/*
 * socket_access: who can reach the tool's socket: root and the daemon's user, and with
 * help_desk_group the members of that group.  What they may do there control decides
 * (control/verb_rights.h).
 */
#ifndef MAIN_SOCKET_ACCESS_H
#define MAIN_SOCKET_ACCESS_H

#include "main/daemon.h"

/* Sets owner, group and mode of the socket as `now` says, and lets the members of its group search
 * the run directory.  before: what was in force; NULL at the start.  Nothing is touched where
 * neither has a group.  False: why says what failed, and nobody else reaches the socket. */
bool socket_access_set(const struct daemon *d, const struct conf *before, const struct conf *now,
    char why[DAEMON_REASON_BYTES]) MUST_USE;

#endif
