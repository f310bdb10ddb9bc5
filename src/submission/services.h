/*
 * services: what a session needs from its connection: the clock, TLS, and requests to auth and the
 * queue.
 */
#ifndef SUBMISSION_SERVICES_H
#define SUBMISSION_SERVICES_H

#include "submission/session.h"

/* arg: struct smtpd_connection. The role gives them to the session of each of its connections. */
extern const struct session_services services_of_smtpd_connection;

#endif
