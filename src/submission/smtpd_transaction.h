/*
 * smtpd_transaction: MAIL, RCPT, RSET: who sends to whom.
 */
#ifndef SUBMISSION_SMTPD_TRANSACTION_H
#define SUBMISSION_SMTPD_TRANSACTION_H

#include "submission/session_internal.h"

session_verb_fn smtpd_transaction_mail, smtpd_transaction_rcpt, smtpd_transaction_rset;
void smtpd_transaction_init(struct session *s);
/* Gives back the file, if there is one. */
void smtpd_transaction_release(struct session *s);
/* Gives back what was reserved and forgets all of it. */
void smtpd_transaction_forget(struct session *s);
/* The same; the session is at rest then. */
void smtpd_transaction_drop(struct session *s);

#endif
