/*
 * sender_rules: decides which sender addresses a login may use.  Pure.
 */
#ifndef POLICY_SENDER_RULES_H
#define POLICY_SENDER_RULES_H

#include "conf/conf.h"
#include "mail/mail_address.h"

/* False: the login belongs to a domain that is not configured, and may not send at all. */
bool sender_rules_may_login_send(const struct conf *c, struct str user);

/* Permitted are the login's own address (for a login without a domain: user@ each of the configured
 * domains), and what sender_policy.send_as grants it: exact addresses or "*@domain".  Case and
 * unnecessary quoting do not matter.  With sender_policy.subaddresses each of these addresses is
 * permitted also with "+" and a detail after its local part (RFC 5233), unless that is quoted. */
bool sender_rules_may_send(
    const struct conf *c, struct str user, const struct mail_address *address);

#endif
