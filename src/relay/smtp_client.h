/*
 * smtp_client: our side of SMTP (RFC 5321) and LMTP (RFC 2033), one connection long.  Pure: bytes
 * of the peer go in, bytes for the peer and one result per recipient come out; the owner moves
 * them, keeps the deadlines and chooses the host.
 */
#ifndef RELAY_SMTP_CLIENT_H
#define RELAY_SMTP_CLIENT_H

#include "mail/smtp_reply.h"
#include "relay/message_source.h"

struct smtp_client;

enum smtp_client_step {
	SMTP_CLIENT_WAIT,   /* for bytes of the peer, or for room (smtp_client_has_more_content) */
	SMTP_CLIENT_SECURE, /* send the output, drop unread input, begin TLS, then
	                       smtp_client_secured */
	/* no transaction is open; results of the last one are complete, but for those that are
	 * for later: send the message to them alone, at once */
	SMTP_CLIENT_READY,
	SMTP_CLIENT_OVER, /* nothing more may be said; see smtp_client_end */
};

enum smtp_client_tls {
	SMTP_CLIENT_TLS_NEVER,
	SMTP_CLIENT_TLS_IF_OFFERED,
	SMTP_CLIENT_TLS_REQUIRED,
	SMTP_CLIENT_TLS_IMPLICIT
};

struct smtp_client_timeouts {
	int64_t greeting_ms, ehlo_ms, mail_ms, rcpt_ms, data_ms, body_ms, final_ms;
};

/* Strings stay the owner's and outlive the client. */
struct smtp_client_options {
	struct str hostname; /* for EHLO */
	bool is_lmtp;
	bool check_loop; /* a host that calls itself by our name is ourselves */
	bool without_chunking; /* the host is known to be bad at it */
	enum smtp_client_tls tls;
	struct str username; /* empty: no AUTH.  Never said without verified TLS */
	struct str password;
	struct smtp_client_timeouts timeouts;
};

struct smtp_client_result {
	struct smtp_status status; /* code 0: undecided, another host may be asked */
	const char *reason;   /* of the closed set, see reason.h */
	bool dsn_passed_on;
	bool is_delivered; /* stored by the host itself: LMTP */
	/* undecided: the host takes no more recipients in one transaction, but may in the next */
	bool is_for_later;
};

/* Why a session is over. */
struct smtp_client_end {
	struct smtp_status status;
	const char *reason;
	bool bad_chunking; /* the same host should be asked again without CHUNKING */
	/* the stored message is late, unreadable or damaged: no other host can get it either */
	bool has_no_content;
};

struct smtp_client *smtp_client_new(const struct smtp_client_options *o);
void smtp_client_free(struct smtp_client **c);

/* Takes replies; *used_out bytes of `in` are done with. */
enum smtp_client_step smtp_client_take_input(
    struct smtp_client *c, struct str in, size_t *used_out);
/* TLS stands; is_verified: the certificate was valid for the host's name. */
enum smtp_client_step smtp_client_secured(struct smtp_client *c, bool is_verified);
/* Begins a transaction; only when READY.  The message stays the owner's until READY or OVER. */
enum smtp_client_step smtp_client_send(struct smtp_client *c, struct message_source *message);
/* The connection ended, or the patience of this turn is over.  Always OVER.  While a block of the
 * content is late the end is about that (has_no_content), whatever the host said or did. */
enum smtp_client_step smtp_client_lost(
    struct smtp_client *c, const struct smtp_status *why, const char *reason);
enum smtp_client_step smtp_client_expired(struct smtp_client *c);
/* Says QUIT; over. */
void smtp_client_quit(struct smtp_client *c);

/* What to send; the owner empties it. */
struct buf *smtp_client_output(struct smtp_client *c);
/* More content follows once the output is sent: smtp_client_fill puts the next block. */
bool smtp_client_has_more_content(const struct smtp_client *c);
/* ... but it is still read: smtp_client_fill is to be called when the message's owner hears of it.
 */
bool smtp_client_awaits_content(const struct smtp_client *c);
enum smtp_client_step smtp_client_fill(struct smtp_client *c);

/* A new number: the deadline starts anew, patience_ms from now. */
unsigned smtp_client_turn(const struct smtp_client *c);
int64_t smtp_client_timeout_ms(const struct smtp_client *c);
/* "MAIL", "final", for logs. */
const char *smtp_client_phase(const struct smtp_client *c);

/* Of the message that is being sent; 0: none is. */
uint64_t smtp_client_content_bytes(const struct smtp_client *c);
/* Every recipient was answered: the content is on its way, or its answer is awaited. */
bool smtp_client_envelope_answered(const struct smtp_client *c);
/* The content is said to its end: the host may have the message, whatever it answers. */
bool smtp_client_sent_content(const struct smtp_client *c);

/* As many as message->count. */
const struct smtp_client_result *smtp_client_results(const struct smtp_client *c);
const struct smtp_client_end *smtp_client_end(const struct smtp_client *c);

#endif
