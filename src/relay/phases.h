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
	PHASES
};

/* Any success that is about mail (RFC 5321 section 4.2.1), instead of one code. */
enum { GOOD_OF_MAIL = 2 };

/* The answer is about all recipients, or about none. */
enum { ABOUT_ALL = UINT32_MAX, ABOUT_NONE = UINT32_MAX - 1 };

struct expected {
	uint8_t phase;
	uint32_t about; /* index of a recipient */
};

enum body_form { BODY_NOT_BEGUN, BODY_DOTTED, BODY_CHUNK };

struct transaction {
	struct outgoing *message;
	struct client_result *results;
	size_t results_cap;
	size_t said; /* recipients that RCPT was said for, or that were settled without */
	size_t accepted;
	bool has_sender;
	bool at_line_start;
	bool is_body_sent;
	bool awaits_content; /* the next piece is not here yet */
	bool is_ahead; /* the host had said more before it could have any of the content */
	enum body_form form;
	uint64_t at; /* bytes of content put */
};

struct client {
	struct client_options o;
	struct buf out;
	struct reply reply;
	struct extensions extensions;
	struct proof login;
	struct expected *queue;
	size_t queue_at, queue_end, queue_cap;
	enum phase next; /* to be said as soon as it may */
	unsigned turn;
	bool is_secure, is_verified;
	bool is_ready, is_over;
	bool needs_reset;
	bool is_ahead; /* the host has said more than was asked when the last reply was heard */
	struct transaction t;
	struct client_end end;
};

struct phase_row {
	const char *name;
	size_t patience; /* offset in struct client_patience */
	uint16_t good;   /* the code of success; another success is out of place */
	/* says it, and tells what may be said after it without an answer; NULL: never said */
	enum phase (*says)(struct client *c);
	/* r is the whole answer; one that is out of place, and 421, were caught before */
	enum client_step (*hears)(struct client *c, const struct status *r, uint32_t about);
};

void client_expect(struct client *c, enum phase phase, uint32_t about);
size_t client_expected(const struct client *c);
/* Ends the session; recipients without a result stay undecided.  When the disk is late, why and
 * reason are replaced by that. */
enum client_step client_fail(struct client *c, const struct status *why, const char *reason);
enum client_step client_confused(struct client *c, const char *what);
/* Transactions may begin. */
enum client_step client_stands(struct client *c);

/* Chooses how to log in, if that may be: never without a verified host. */
enum client_step client_auth_begin(struct client *c);
enum phase client_auth_say(struct client *c);
enum client_step client_auth_got(struct client *c, const struct status *r, uint32_t about);

/* The host calls itself by our name, and that must not be: the session is over. */
bool client_meets_itself(struct client *c, const struct status *greeting);

enum phase say_rset(struct client *c);
enum client_step got_rset(struct client *c, const struct status *r, uint32_t about);
enum phase say_mail(struct client *c);
enum client_step got_mail(struct client *c, const struct status *r, uint32_t about);
enum phase say_rcpt(struct client *c);
enum client_step got_rcpt(struct client *c, const struct status *r, uint32_t about);
enum phase say_data(struct client *c);
enum client_step got_data(struct client *c, const struct status *r, uint32_t about);
enum phase say_bdat(struct client *c);
enum client_step got_final(struct client *c, const struct status *r, uint32_t about);

/* Code 0: the message may be offered to the host, with its header in the form that the host takes;
 * else why not. */
struct status transaction_unfit(struct client *c, const char **reason_out);
/* Code 0: RCPT can be said for this recipient. */
struct status transaction_unfit_recipient(
    const struct client *c, const struct recipient *r, const char **reason_out);
/* May this phase be said while answers are still expected? */
bool transaction_may_pipeline(const struct client *c, enum phase phase);
/* A block of the content is awaited for so long that the host cannot be blamed for its next act. */
bool transaction_disk_is_late(const struct client *c);
/* The connection is gone: whoever was accepted when all was sent may have the message. */
void transaction_lost(struct client *c);

#endif
