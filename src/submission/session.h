/*
 * session: the SMTP dialogue with one client (RFC 6409, RFC 5321). It takes input bytes and returns
 * replies. Everything that takes time or needs access is requested from session_services, whose
 * answers never come from inside the request. It knows no socket, event or clock. The verb table in
 * session.c states which command is allowed in which state.
 */
#ifndef SUBMISSION_SESSION_H
#define SUBMISSION_SESSION_H

#include "conf/conf.h"
#include "ipc/message.h"

struct session;

/* NEXT: it may take more input. WAIT: not before an answer comes. CLOSE: send the remaining replies
 * and close the connection. */
enum session_step { SESSION_NEXT, SESSION_WAIT, SESSION_CLOSE };

/* For the log. */
struct session_refusal {
	struct msgid id;    /* number 0: outside a transaction */
	const char *stage;  /* command tls auth mail rcpt data */
	const char *reason; /* one of a closed set of words */
	const struct smtp_status *status;
	const char *mechanism; /* of the AUTH that ends with it; empty: none */
	struct str user;       /* empty before login */
	struct str sender; /* of the transaction; empty: the null sender; p NULL: no transaction */
	const char *detail_key; /* log key of `detail`; NULL: no detail */
	struct str detail;
	uint64_t size; /* of the message for which there is no room; 0: unknown */
	uint64_t room; /* that there is */
};

enum { SESSION_BINDING_BYTES = 32 };

/* A request that returns bool: true when its answer will come later, false when that service is not
 * available now. */
struct session_services {
	int64_t (*now_ms)(void *arg);
	int64_t (*mono_ms)(void *arg);
	/* calls session_expired at that time; replaces the former deadline */
	void (*deadline)(void *arg, int64_t mono_ms);
	/* whether bytes were received that the session has not seen yet */
	bool (*has_unseen)(void *arg);
	/* begins after the replies are sent; answer: session_secured */
	bool (*start_tls)(void *arg);
	/* the bytes of tls-exporter (RFC 9266); false: there are none */
	bool (*binding)(void *arg, unsigned char out[SESSION_BINDING_BYTES]);
	/* answer: session_auth_answer */
	bool (*start_auth)(void *arg, const struct message_auth_start *m);
	bool (*step_auth)(void *arg, const struct message_auth_step *m);
	void (*cancel_auth)(void *arg, const struct message_auth_cancel *m);
	/* the largest message that the spool has room for now, as far as is known */
	uint64_t (*room)(void *arg);
	/* no message can be stored, for another reason than room */
	bool (*is_failing)(void *arg);
	/* takes one token of the user's limit; false: none is here, ask_token requests one */
	bool (*take_token)(void *arg, struct str user);
	/* answer: session_queue_answer; 250: one token was taken */
	bool (*ask_token)(void *arg, struct str user);
	/* of the tokens that were taken: they were not used, and a requested one is not wanted any
	 * more; a commit has used them */
	void (*return_tokens)(void *arg, struct str user, uint32_t count);
	void (*spend_tokens)(void *arg, struct str user, uint32_t count);
	/* false: so many files wait to be closed that no other may be requested */
	bool (*may_open_file)(void *arg);
	/* answer: session_queue_answer */
	bool (*open_file)(void *arg, const struct message_spool_file *m);
	bool (*commit)(void *arg, const struct message_commit *m);
	/* releases the file */
	void (*release)(void *arg, const struct message_release *m);
	/* writes a copy of the bytes to the file, one write at a time; answer: session_written,
	 * unless the file is released before */
	void (*write_file)(void *arg, uint64_t at, struct str bytes);
	/* how long the disk has worked at its present write, of any session; 0: there is none */
	int64_t (*disk_stalled_ms)(void *arg);
	void (*refused)(void *arg, const struct session_refusal *r);
};

struct session_setup {
	const struct session_services *services;
	void *arg;
	struct conf *conf; /* the session takes a reference */
	uint64_t id;
	const char *client;   /* its address; belongs to the caller */
	uint16_t port;        /* of the listener */
	bool is_implicit_tls; /* TLS comes first, then the greeting */
	bool may_tls;         /* STARTTLS is offered */
};

struct session_counts {
	uint32_t messages, recipients, refused;
};

/* Never fails; session_free frees it. */
struct session *session_new(const struct session_setup *setup);
/* Cancels open requests. */
void session_free(struct session **s);

/* Sends the greeting, or waits for TLS. */
enum session_step session_begin(struct session *s);
/* TLS is established; has_binding: a tls-exporter is available. */
enum session_step session_secured(struct session *s, const char *version, bool has_binding);
/* Takes one line or block from the front of `in`. Call it again while it returns NEXT and has used
 * something. */
enum session_step session_take(struct session *s, struct str in, size_t *used_out);
/* The input that was taken last may hold a password: the owner of the bytes wipes them. */
bool session_had_secret(const struct session *s);
/* NULL: the service is lost. A late answer, for which no request is open, has no effect. */
enum session_step session_auth_answer(struct session *s, const struct message_auth_answer *a);
enum session_step session_queue_answer(struct session *s, const struct smtp_status *answer);
/* The write has ended; fault: NULL, or why it failed. */
enum session_step session_written(struct session *s, const struct smtp_status *fault);
/* The deadline has passed. */
enum session_step session_expired(struct session *s);
/* The server stops: closes the session now, or after the message in progress. The second call
 * closes it without waiting for the message. */
enum session_step session_stop(struct session *s);
/* The user was suspended or removed. */
enum session_step session_user_gone(struct session *s);

/* Replies that are not sent yet; the caller takes them out after each call above. */
struct buf *session_out(struct session *s);
/* The login; empty before login. */
struct str session_user(const struct session *s);
/* What the session has done so far. */
struct session_counts session_counts(const struct session *s);
/* Why the session ended, one word for the log: quit, timeout, errors ... */
const char *session_reason(const struct session *s);

#endif
