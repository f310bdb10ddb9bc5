/*
 * help_desk_rights: what members of help_desk_group may do and how much of it, beside root and the
 * user that the daemon runs as.
 */
#ifndef CONTROL_HELP_DESK_RIGHTS_H
#define CONTROL_HELP_DESK_RIGHTS_H

#include "control/control_internal.h"
#include "control/verb_rights.h"

/* Is the caller at the end of fd a member now, whatever held when it connected? */
bool desk_rights_may_look(const struct control *c, int fd, const struct caller *caller);
/* The words of a command that the client has no right to; NULL: it may give it. */
const char *desk_rights_missing(const struct control_client *client, const struct verb_rights *r,
    struct str values, bool *is_member_out);

/* Members leave room for root, and for one another; who is over that is logged. */
bool desk_rights_may_connect(struct control *c, const struct caller *caller);
bool desk_rights_may_begin(const struct control_client *client);
/* When more answers wait for all members than one client may let wait: for whom most of it waits;
 * else NULL. */
struct control_client *desk_rights_slowest_client(const struct control *c);

/* False: so many refusals were told in the last minute that another one is not. */
bool desk_rights_may_log(struct control *c);
void desk_rights_log_refused(struct control *c, uid_t uid, const char *why);

#endif
