/*
 * smtpd_auth: AUTH (RFC 4954): base64 and order are kept here, everything else is asked.
 */
#ifndef SUBMISSION_SMTPD_AUTH_H
#define SUBMISSION_SMTPD_AUTH_H

#include "submission/session_internal.h"

verb_fn login_auth;
/* A line within the exchange. */
enum session_step login_response(struct session *s, struct str line);
enum session_step login_too_long(struct session *s);
/* RFC 4954 section 4. */
struct status login_line_too_long(void);
/* The exchange that runs is given up. */
void login_cancel(struct session *s);
bool login_is_offered(const struct session *s, struct str mechanism);

#endif
