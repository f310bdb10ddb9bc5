/*
 * sender_rules: who may send as whom (pure).
 */
#ifndef POLICY_SENDER_RULES_H
#define POLICY_SENDER_RULES_H

#include "conf/conf.h"
#include "mail/mail_address.h"

/* A login in a domain that is not configured may send as nobody. */
bool sender_rules_may_login_send(const struct conf *c, struct str user);

/* The login's own address (a login without a domain stands for user@ each of the configured
 * domains), and what sender_policy.send_as gives it: exact addresses or "*@domain".  Case and
 * needless quoting do not matter.  With sender_policy.subaddresses each of these addresses also
 * with "+" and a detail behind its local part (RFC 5233), when that is not quoted. */
bool sender_rules_may_send(
    const struct conf *c, struct str user, const struct mail_address *address);

#endif
