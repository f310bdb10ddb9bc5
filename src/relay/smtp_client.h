/*
 * smtp_client: our side of SMTP (RFC 5321) and LMTP (RFC 2033), one connection long.  Pure: bytes
 * of the peer go in, bytes for the peer and one result per recipient come out; the owner moves
 * them, keeps the deadlines and chooses the host.
 */
#ifndef RELAY_SMTP_CLIENT_H
#define RELAY_SMTP_CLIENT_H

#include "mail/smtp_reply.h"
#include "relay/message_source.h"

struct client;

enum client_step {
	CLIENT_WAIT,   /* for bytes of the peer, or for room (client_has_more) */
	CLIENT_SECURE, /* send the output, drop unread input, begin TLS, then client_secured */
	/* no transaction is open; results of the last one are complete, but for those that are
	 * for later: send the message to them alone, at once */
	CLIENT_READY,
	CLIENT_OVER,   /* nothing more may be said; see client_end */
};

enum client_tls { CLIENT_TLS_NEVER, CLIENT_TLS_IF_OFFERED, CLIENT_TLS_MUST, CLIENT_TLS_STANDS };

struct client_patience {
	int64_t greeting_ms, ehlo_ms, mail_ms, rcpt_ms, data_ms, body_ms, final_ms;
};

/* Strings stay the owner's and outlive the client. */
struct client_options {
	struct str hostname; /* for EHLO */
	bool is_lmtp;
	bool must_be_other; /* a host that calls itself by our name is ourselves */
	bool without_chunking; /* the host is known to be bad at it */
	enum client_tls tls;
	struct str username; /* empty: no AUTH.  Never said without verified TLS */
	struct str password;
	struct client_patience patience;
};

struct client_result {
	struct status status; /* code 0: undecided, another host may be asked */
	const char *reason;   /* of the closed set, see reason.h */
	bool dsn_passed_on;
	bool is_delivered; /* stored by the host itself: LMTP */
	/* undecided: the host takes no more recipients in one transaction, but may in the next */
	bool is_for_later;
};

/* Why a session is over. */
struct client_end {
	struct status status;
	const char *reason;
	bool bad_chunking; /* the same host should be asked again without CHUNKING */
	/* the stored message is late, unreadable or damaged: no other host can get it either */
	bool has_no_content;
};

struct client *client_new(const struct client_options *o);
void client_free(struct client **c);

/* Takes replies; *used_out bytes of `in` are done with. */
enum client_step client_take(struct client *c, struct str in, size_t *used_out);
/* TLS stands; is_verified: the certificate was valid for the host's name. */
enum client_step client_secured(struct client *c, bool is_verified);
/* Begins a transaction; only when READY.  The message stays the owner's until READY or OVER. */
enum client_step client_send(struct client *c, struct outgoing *message);
/* The connection ended, or the patience of this turn is over.  Always OVER.  While a block of the
 * content is late the end is about that (has_no_content), whatever the host said or did. */
enum client_step client_lost(struct client *c, const struct status *why, const char *reason);
enum client_step client_expired(struct client *c);
/* Says QUIT; over. */
void client_quit(struct client *c);

/* What to send; the owner empties it. */
struct buf *client_output(struct client *c);
/* More content follows once the output is sent: client_fill puts the next block. */
bool client_has_more(const struct client *c);
/* ... but it is still read: client_fill is to be called when the message's owner hears of it. */
bool client_awaits_content(const struct client *c);
enum client_step client_fill(struct client *c);

/* A new number: the deadline starts anew, patience_ms from now. */
unsigned client_turn(const struct client *c);
int64_t client_patience_ms(const struct client *c);
/* "MAIL", "final", for logs. */
const char *client_phase(const struct client *c);

/* Of the message that is being sent; 0: none is. */
uint64_t client_content_bytes(const struct client *c);
/* Every recipient was answered: the content is on its way, or its answer is awaited. */
bool client_has_envelope(const struct client *c);
/* The content is said to its end: the host may have the message, whatever it answers. */
bool client_has_content(const struct client *c);

/* As many as message->count. */
const struct client_result *client_results(const struct client *c);
const struct client_end *client_end(const struct client *c);

#endif
