/*
 * smtpd_data: the DATA command, and the content that ends with its final dot.
 */
#ifndef SUBMISSION_SMTPD_DATA_H
#define SUBMISSION_SMTPD_DATA_H

#include "submission/session_internal.h"

/* Begins the content of a transaction. */
session_verb_fn smtpd_data_command;
/* Reads it up to the final dot. */
session_read_fn smtpd_data_read;

#endif
