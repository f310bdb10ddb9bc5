/*
 * smtpd_line: one line of a session's input, whole and clean, or its refusal.
 */
#ifndef SUBMISSION_SMTPD_LINE_H
#define SUBMISSION_SMTPD_LINE_H

#include "submission/session_internal.h"

session_read_fn smtpd_line_read;

#endif
