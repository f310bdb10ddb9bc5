/*
 * smtpd_transaction: MAIL, RCPT, RSET: who sends to whom.
 */
#ifndef SUBMISSION_SMTPD_TRANSACTION_H
#define SUBMISSION_SMTPD_TRANSACTION_H

#include "submission/session_internal.h"

verb_fn transaction_mail, transaction_rcpt, transaction_rset;
void transaction_init(struct session *s);
/* Gives back the file, if there is one. */
void transaction_release(struct session *s);
/* Gives back what was reserved and forgets all of it. */
void transaction_forget(struct session *s);
/* The same; the session is at rest then. */
void transaction_drop(struct session *s);

#endif
