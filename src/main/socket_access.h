/*
 * socket_access: who can connect to the control socket: root, the daemon's user, and with
 * help_desk_group the members of that group.  The control role decides which commands they may use
 * (ipc/operator_commands.h).
 */
#ifndef MAIN_SOCKET_ACCESS_H
#define MAIN_SOCKET_ACCESS_H

#include "main/daemon.h"

/* Sets owner, group and mode of the socket for new_conf, and lets the members of its group search
 * the run directory.  old_conf: the former configuration; NULL at the start.  Does nothing if
 * neither has a group.  False: why contains the error, and no further user can connect. */
bool socket_access_set(const struct daemon *d, const struct conf *old_conf,
    const struct conf *new_conf, char why[DAEMON_REASON_BYTES]) MUST_USE;

#endif
