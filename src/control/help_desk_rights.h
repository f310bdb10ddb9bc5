/*
 * help_desk_rights: what members of help_desk_group may do, and how much of it at once, in addition
 * to root and the user that the daemon runs as.
 */
#ifndef CONTROL_HELP_DESK_RIGHTS_H
#define CONTROL_HELP_DESK_RIGHTS_H

#include "control/control_internal.h"
#include "control/verb_rights.h"

/* True: the caller at the other end of fd is a member of help_desk_group now, whatever held when it
 * connected. */
bool desk_rights_may_look(const struct control *c, int fd, const struct caller *caller);
/* The words of the command for which the client has no right; NULL: it may give it. */
const char *desk_rights_missing(const struct control_client *client,
    const struct operator_command *r, struct str values, bool *is_member_out);

/* Whether the caller may connect, and whether the client may start another command. Members leave
 * room for root and for one another; a refused connection is logged. */
bool desk_rights_may_connect(struct control *c, const struct caller *caller);
bool desk_rights_may_begin(const struct control_client *client);
/* If more bytes of answers wait for all members together than the limit: the client for which most
 * of them wait; else NULL. */
struct control_client *desk_rights_slowest_client(const struct control *c);

/* False: so many refusals were logged in the last minute that this one is not logged. */
bool desk_rights_may_log(struct control *c);
/* Logs a refused user, unless too many refusals were logged. */
void desk_rights_log_refused(struct control *c, uid_t uid, const char *why);

#endif
