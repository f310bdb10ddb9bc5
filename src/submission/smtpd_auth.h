/*
 * smtpd_auth: AUTH (RFC 4954): base64 and order are kept here, everything else is asked.
 */
#ifndef SUBMISSION_SMTPD_AUTH_H
#define SUBMISSION_SMTPD_AUTH_H

#include "submission/session_internal.h"

session_verb_fn smtpd_auth_command;
/* A line within the exchange. */
enum session_step smtpd_auth_response(struct session *s, struct str line);
enum session_step smtpd_auth_refuse_long_line(struct session *s);
/* RFC 4954 section 4. */
struct smtp_status smtpd_auth_line_too_long(void);
/* The exchange that runs is given up. */
void smtpd_auth_cancel(struct session *s);
bool smtpd_auth_is_offered(const struct session *s, struct str mechanism);

#endif
