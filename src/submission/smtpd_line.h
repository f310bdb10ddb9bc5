/*
 * smtpd_line: takes one complete and valid line from the input of a session, or refuses it.
 */
#ifndef SUBMISSION_SMTPD_LINE_H
#define SUBMISSION_SMTPD_LINE_H

#include "submission/session_internal.h"

/* Reads a command line or a line of an AUTH exchange, and runs it. */
session_read_fn smtpd_line_read;

#endif
