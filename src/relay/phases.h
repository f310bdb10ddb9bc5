/*
 * phases: what smtp_client.c (the session) and transaction.c (MAIL to the final dot) share.  A
 * phase is a row: how long to wait for its answer, what says it, what hears the answer.  Answers
 * are expected in the order of the queue; without PIPELINING the queue is never longer than one.
 */
#ifndef RELAY_PHASES_H
#define RELAY_PHASES_H

#include "relay/smtp_client.h"
#include "relay/smtp_sasl.h"

enum phase {
	PHASE_NONE, /* nothing to say until an answer comes */
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

/* Any success that is about mail (RFC 5321 section 4.2.1), instead of one code. */
enum { PHASE_ANY_MAIL_SUCCESS = 2 };

/* The answer is about all recipients, or about none. */
enum { PHASE_ABOUT_ALL = UINT32_MAX, PHASE_ABOUT_NONE = UINT32_MAX - 1 };

struct phase_expected_reply {
	uint8_t phase;
	uint32_t about; /* index of a recipient */
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
	size_t rcpt_done; /* recipients that RCPT was said for, or that were settled without */
	size_t accepted;
	bool has_sender;
	bool at_line_start;
	bool is_body_sent;
	bool awaits_content; /* the next piece is not here yet */
	bool had_extra_input; /* the host had said more before it could have any of the content */
	enum smtp_transaction_form form;
	uint64_t content_bytes; /* bytes of content put */
};

struct smtp_client {
	struct smtp_client_options options;
	struct buf output;
	struct smtp_reply reply;
	struct smtp_extensions extensions;
	struct smtp_sasl sasl;
	struct phase_expected_reply *expected;
	size_t expected_first, expected_end, expected_cap;
	enum phase next_phase; /* to be said as soon as it may */
	unsigned turn;
	bool is_secure, is_verified;
	bool is_ready, is_over;
	bool needs_reset;
	bool has_extra_input; /* the host has said more than was asked when the last reply was heard
	                       */
	struct smtp_transaction transaction;
	struct smtp_client_end end;
};

struct phase_row {
	const char *name;
	size_t timeout_offset; /* offset in struct smtp_client_timeouts */
	uint16_t success_code;   /* the code of success; another success is out of place */
	/* says it, and tells what may be said after it without an answer; NULL: never said */
	enum phase (*send)(struct smtp_client *c);
	/* r is the whole answer; one that is out of place, and 421, were caught before */
	enum smtp_client_step (*receive)(
	    struct smtp_client *c, const struct smtp_status *r, uint32_t about);
};

void smtp_client_expect(struct smtp_client *c, enum phase phase, uint32_t about);
size_t smtp_client_expected(const struct smtp_client *c);
/* Ends the session; recipients without a result stay undecided.  When the disk is late, why and
 * reason are replaced by that. */
enum smtp_client_step smtp_client_fail(
    struct smtp_client *c, const struct smtp_status *why, const char *reason);
enum smtp_client_step smtp_client_protocol_error(struct smtp_client *c, const char *what);
/* Transactions may begin. */
enum smtp_client_step smtp_client_set_ready(struct smtp_client *c);

/* Chooses how to log in, if that may be: never without a verified host. */
enum smtp_client_step smtp_client_auth_begin(struct smtp_client *c);
enum phase smtp_client_auth_send(struct smtp_client *c);
enum smtp_client_step smtp_client_auth_got(
    struct smtp_client *c, const struct smtp_status *r, uint32_t about);

/* The host calls itself by our name, and that must not be: the session is over. */
bool smtp_client_detects_loop(struct smtp_client *c, const struct smtp_status *greeting);

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

/* Code 0: the message may be offered to the host, with its header in the form that the host takes;
 * else why not. */
struct smtp_status smtp_transaction_unfit(struct smtp_client *c, const char **reason_out);
/* Code 0: RCPT can be said for this recipient. */
struct smtp_status smtp_transaction_unfit_recipient(
    const struct smtp_client *c, const struct envelope_recipient *r, const char **reason_out);
/* May this phase be said while answers are still expected? */
bool smtp_transaction_may_pipeline(const struct smtp_client *c, enum phase phase);
/* A block of the content is awaited for so long that the host cannot be blamed for its next act. */
bool smtp_transaction_disk_is_late(const struct smtp_client *c);
/* The connection is gone: whoever was accepted when all was sent may have the message. */
void smtp_transaction_lost(struct smtp_client *c);

#endif
