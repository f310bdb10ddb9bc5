/*
 * smtp_client: the client side of SMTP (RFC 5321) and LMTP (RFC 2033) for one connection.  Pure:
 * the bytes of the host go in; the bytes for the host, and one result for each recipient, come
 * out.  The owner transports the bytes, enforces the deadlines and chooses the host.
 */
#ifndef RELAY_SMTP_CLIENT_H
#define RELAY_SMTP_CLIENT_H

#include "mail/smtp_reply.h"
#include "relay/message_source.h"

struct smtp_client;

enum smtp_client_step {
	/* wait for input, or until the output is sent (smtp_client_has_more_content) */
	SMTP_CLIENT_WAIT,
	/* send the output, drop unread input, start TLS, then call smtp_client_secured */
	SMTP_CLIENT_SECURE,
	/* no transaction is open.  The results of the last one are complete, except for recipients
	 * that are is_for_later: send the message to these again at once. */
	SMTP_CLIENT_READY,
	SMTP_CLIENT_OVER, /* nothing may be sent any more; see smtp_client_end */
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

/* The strings belong to the owner and must outlive the client. */
struct smtp_client_options {
	struct str hostname; /* for EHLO */
	bool is_lmtp;
	bool check_loop;       /* a host that gives our own host name is this host */
	bool without_chunking; /* the host is known to fail at CHUNKING */
	enum smtp_client_tls tls;
	struct str username; /* empty: no AUTH.  Sent only after TLS with a verified host name. */
	struct str password;
	struct smtp_client_timeouts timeouts;
};

struct smtp_client_result {
	struct smtp_status status; /* code 0: undecided, another host may be tried */
	const char *reason;        /* one of the words of reason.h */
	bool dsn_passed_on;
	bool is_delivered; /* the host has delivered it finally: LMTP */
	/* undecided: the host takes no more recipients in this transaction, but may in the next
	 * one */
	bool is_for_later;
};

/* Why the session ended. */
struct smtp_client_end {
	struct smtp_status status;
	const char *reason;
	bool bad_chunking; /* the same host should be tried again without CHUNKING */
	/* the stored message is late, unreadable or damaged: no other host can get it either */
	bool has_no_content;
};

/* Starts with the greeting, or with TLS if that is implicit. */
struct smtp_client *smtp_client_new(const struct smtp_client_options *o);
/* Allowed in any state; wipes the login. */
void smtp_client_free(struct smtp_client **c);

/* Takes input of the host; *used_out bytes of `in` were used. */
enum smtp_client_step smtp_client_take_input(
    struct smtp_client *c, struct str in, size_t *used_out);
/* TLS is established; is_verified: the certificate is valid for the host name. */
enum smtp_client_step smtp_client_secured(struct smtp_client *c, bool is_verified);
/* Starts a transaction; allowed only when READY.  The message belongs to the caller, and must stay
 * valid until READY or OVER. */
enum smtp_client_step smtp_client_send(struct smtp_client *c, struct message_source *message);
/* The connection is lost, or the timeout of this turn is over.  Both return OVER.  While a block of
 * the content is late, the end is about that (has_no_content), whatever the host did. */
enum smtp_client_step smtp_client_lost(
    struct smtp_client *c, const struct smtp_status *why, const char *reason);
enum smtp_client_step smtp_client_expired(struct smtp_client *c);
/* Sends QUIT; the session is over. */
void smtp_client_quit(struct smtp_client *c);

/* The bytes to send; the owner empties the buffer. */
struct buf *smtp_client_output(struct smtp_client *c);
/* More of the content follows after the output was sent: call smtp_client_fill for the next
 * block. */
bool smtp_client_has_more_content(const struct smtp_client *c);
/* As smtp_client_has_more_content, but the next block is still being read: call smtp_client_fill
 * when the owner of the message is notified that it was read. */
bool smtp_client_awaits_content(const struct smtp_client *c);
/* Puts the next blocks of the content into the output. */
enum smtp_client_step smtp_client_fill(struct smtp_client *c);

/* A number that changes when the deadline starts anew, smtp_client_timeout_ms from now. */
unsigned smtp_client_turn(const struct smtp_client *c);
/* The timeout of the current phase. */
int64_t smtp_client_timeout_ms(const struct smtp_client *c);
/* The name of the current phase for logs: "MAIL", "final". */
const char *smtp_client_phase(const struct smtp_client *c);

/* The size of the message that is being sent; 0: no message. */
uint64_t smtp_client_content_bytes(const struct smtp_client *c);
/* Every recipient was answered: the content is being sent, or its reply is awaited. */
bool smtp_client_envelope_answered(const struct smtp_client *c);
/* The whole content was sent: the host may have the message, whatever it replies. */
bool smtp_client_sent_content(const struct smtp_client *c);

/* The results of the last transaction, one for each of message->count recipients. */
const struct smtp_client_result *smtp_client_results(const struct smtp_client *c);
/* Valid after OVER. */
const struct smtp_client_end *smtp_client_end(const struct smtp_client *c);

#endif
