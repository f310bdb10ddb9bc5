/*
 * smtpd_auth: the AUTH command (RFC 4954). It knows base64 and the order of an exchange; auth
 * decides everything else.
 */
#ifndef SUBMISSION_SMTPD_AUTH_H
#define SUBMISSION_SMTPD_AUTH_H

#include "submission/session_internal.h"

/* The AUTH command. */
session_verb_fn smtpd_auth_command;
/* A line of the client within the exchange. */
enum session_step smtpd_auth_response(struct session *s, struct str line);
/* Ends the exchange because of an overlong line. */
enum session_step smtpd_auth_refuse_long_line(struct session *s);
/* The status for it (RFC 4954 section 4). */
struct smtp_status smtpd_auth_line_too_long(void);
/* Cancels the exchange in auth, if there is one. */
void smtpd_auth_cancel(struct session *s);
/* Whether this session may use the mechanism. */
bool smtpd_auth_is_offered(const struct session *s, struct str mechanism);

#endif
