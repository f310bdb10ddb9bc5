/*
 * smtpd_transaction: the MAIL, RCPT and RSET commands: the envelope of a message, and the
 * life of its three buffers: sender, recipients, mail data.
 */
#ifndef SUBMISSION_SMTPD_TRANSACTION_H
#define SUBMISSION_SMTPD_TRANSACTION_H

#include "submission/session_internal.h"

session_verb_fn smtpd_transaction_mail, smtpd_transaction_rcpt, smtpd_transaction_rset;
/* Prepares an empty transaction of a new session. */
void smtpd_transaction_init(struct session *s);
/* Empties the mail data buffer (RFC 5321 section 4.1.1): no content has come. */
void smtpd_transaction_clear_content(struct session *s);
/* The refusal when too many files wait to be closed. */
struct smtp_status smtpd_transaction_file_unavailable(void);
/* The reason word of a message that the queue could not store with that status. */
const char *smtpd_transaction_storage_reason(const struct smtp_status *status);
/* Releases the file, if there is one. */
void smtpd_transaction_release(struct session *s);
/* Returns the tokens, releases the file, and clears the transaction. */
void smtpd_transaction_forget(struct session *s);
/* The same; then the session is in the state without a transaction. */
void smtpd_transaction_drop(struct session *s);

#endif
