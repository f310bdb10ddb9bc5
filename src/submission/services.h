/*
 * services: a connection as its session sees it.
 */
#ifndef SUBMISSION_SERVICES_H
#define SUBMISSION_SERVICES_H

#include "submission/session.h"

/* arg: struct smtpd_connection */
extern const struct session_services services_of_smtpd_connection;

#endif
