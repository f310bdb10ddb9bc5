/*
 * smtp_client_internal: the state of the SMTP client, and what its files call of one another: the
 * session (smtp_client.c), its login (smtp_client_auth.c), the check for a loop (loop_check.c), the
 * queries (smtp_client_state.c), and the transaction, MAIL to the final dot (smtp_transaction.c,
 * smtp_transaction_fit.c).  Each phase has a row in a table: the timeout of its reply, the function
 * that sends its command, the function that handles the reply.  Replies are expected in the order
 * of the commands.  Without PIPELINING no more than one reply is expected at a time.
 */
#ifndef RELAY_SMTP_CLIENT_INTERNAL_H
#define RELAY_SMTP_CLIENT_INTERNAL_H

#include "relay/smtp_client.h"
#include "relay/smtp_sasl.h"

enum phase {
	PHASE_NONE, /* nothing to send until a reply comes */
	PHASE_GREETING,
	PHASE_EHLO,
	PHASE_HELO,
	PHASE_STARTTLS,
	PHASE_AUTH,
	PHASE_RSET,
	PHASE_MAIL,
	PHASE_RCPT,
	PHASE_DATA,
	PHASE_BDAT,
	PHASE_FINAL,
	PHASE_QUIT,
	PHASE_COUNT
};

/* Instead of one code: any success reply about mail (RFC 5321 section 4.2.1). */
enum { PHASE_ANY_MAIL_SUCCESS = 2 };

/* The reply is about all recipients, or about no recipient. */
enum { PHASE_ABOUT_ALL = UINT32_MAX, PHASE_ABOUT_NONE = UINT32_MAX - 1 };

struct phase_expected_reply {
	uint8_t phase;
	uint32_t about; /* index of a recipient, or PHASE_ABOUT_* */
};

enum smtp_transaction_form {
	SMTP_TRANSACTION_NOT_BEGUN,
	SMTP_TRANSACTION_DATA,
	SMTP_TRANSACTION_BDAT
};

struct smtp_transaction {
	struct message_source *message;
	struct smtp_client_result *results;
	size_t results_cap;
	size_t rcpt_done; /* recipients for which RCPT was sent, or that got a result without it */
	size_t accepted;
	bool has_sender;
	bool at_line_start;
	bool is_body_sent;
	bool awaits_content; /* the next block of the content is being read */
	/* the host had sent more than its reply before any of the content was sent */
	bool had_extra_input;
	enum smtp_transaction_form form;
	uint64_t content_bytes; /* how much of the content was sent */
};

struct smtp_client {
	struct smtp_client_options options;
	struct buf output;
	struct smtp_reply reply;
	struct smtp_extensions extensions;
	struct smtp_sasl sasl;
	struct phase_expected_reply *expected;
	size_t expected_first, expected_end, expected_cap;
	enum phase next_phase; /* sent as soon as the protocol allows */
	unsigned turn;
	bool is_secure, is_verified;
	bool is_ready, is_over;
	bool needs_reset;
	/* when the last reply was read, the host had sent more than was asked for */
	bool has_extra_input;
	struct smtp_transaction transaction;
	struct smtp_client_end end;
};

struct phase_row {
	const char *name;
	size_t timeout_offset; /* of the timeout in struct smtp_client_timeouts */
	uint16_t success_code; /* another success code is a protocol error */
	/* sends the command, and returns the phase that may be sent next without waiting for a
	 * reply; NULL: there is no command */
	enum phase (*send)(struct smtp_client *c);
	/* handles a complete reply.  A 421 and an unexpected success do not come here. */
	enum smtp_client_step (*receive)(
	    struct smtp_client *c, const struct smtp_status *r, uint32_t about);
};

/* Adds a reply to the list of expected replies. */
void smtp_client_expect(struct smtp_client *c, enum phase phase, uint32_t about);
/* The number of replies that are expected. */
size_t smtp_client_expected(const struct smtp_client *c);
/* Ends the session; recipients without a result stay undecided.  If the disk is late
 * (smtp_transaction_disk_is_late), that replaces why and reason. */
enum smtp_client_step smtp_client_fail(
    struct smtp_client *c, const struct smtp_status *why, const char *reason);
/* Ends the session: the reply to the command `what` breaks the protocol. */
enum smtp_client_step smtp_client_protocol_error(struct smtp_client *c, const char *what);
/* The session is ready for a transaction. */
enum smtp_client_step smtp_client_set_ready(struct smtp_client *c);

/* Starts the login with a mechanism that the host offers.  Never without TLS and a verified host
 * name. */
enum smtp_client_step smtp_client_auth_begin(struct smtp_client *c);
/* The row of PHASE_AUTH. */
enum phase smtp_client_auth_send(struct smtp_client *c);
enum smtp_client_step smtp_client_auth_got(
    struct smtp_client *c, const struct smtp_status *r, uint32_t about);

/* True: the host gives our own host name, and the options do not allow that.  The session has
 * ended. */
bool smtp_client_detects_loop(struct smtp_client *c, const struct smtp_status *greeting);

/* The rows of the table, see struct phase_row. */
enum phase smtp_transaction_send_rset(struct smtp_client *c);
enum smtp_client_step smtp_transaction_got_rset(
    struct smtp_client *c, const struct smtp_status *r, uint32_t about);
enum phase smtp_transaction_send_mail(struct smtp_client *c);
enum smtp_client_step smtp_transaction_got_mail(
    struct smtp_client *c, const struct smtp_status *r, uint32_t about);
enum phase smtp_transaction_send_rcpt(struct smtp_client *c);
enum smtp_client_step smtp_transaction_got_rcpt(
    struct smtp_client *c, const struct smtp_status *r, uint32_t about);
enum phase smtp_transaction_send_data(struct smtp_client *c);
enum smtp_client_step smtp_transaction_got_data(
    struct smtp_client *c, const struct smtp_status *r, uint32_t about);
enum phase smtp_transaction_send_bdat(struct smtp_client *c);
enum smtp_client_step smtp_transaction_got_final(
    struct smtp_client *c, const struct smtp_status *r, uint32_t about);

/* Checks whether the host can take the message, and chooses the form of its header.  Code 0: it
 * can; otherwise the reason why it cannot. */
struct smtp_status smtp_transaction_unfit(struct smtp_client *c, const char **reason_out);
/* Code 0: RCPT can be sent for this recipient. */
struct smtp_status smtp_transaction_unfit_recipient(
    const struct smtp_client *c, const struct envelope_recipient *r, const char **reason_out);
/* Whether the command of this phase may be sent while replies are still expected. */
bool smtp_transaction_may_pipeline(const struct smtp_client *c, enum phase phase);
/* A block of the content is awaited for so long that whatever the host does next is not its
 * fault. */
bool smtp_transaction_disk_is_late(const struct smtp_client *c);
/* The connection is lost: if all content was sent, the accepted recipients may have the message. */
void smtp_transaction_lost(struct smtp_client *c);

#endif
