/*
 * session: one client's talk, RFC 6409 over RFC 5321.  Pure: bytes go in, replies come out, and all
 * that takes time or power is asked from services, which never answer from inside the question.
 * It knows no socket, event or clock.  The verb table in session.c says what may be said when.
 */
#ifndef SUBMISSION_SESSION_H
#define SUBMISSION_SESSION_H

#include "conf/conf.h"
#include "ipc/message.h"

struct session;

/* NEXT: more input may be taken.  WAIT: not before an answer.  CLOSE: say what is left and hang up.
 */
enum session_step { SESSION_NEXT, SESSION_WAIT, SESSION_CLOSE };

/* For the log. */
struct session_refusal {
	struct msgid id;    /* number 0 outside a transaction */
	const char *stage;  /* command tls auth mail rcpt data */
	const char *reason; /* closed set of words */
	const struct smtp_status *status;
	const char *mechanism; /* of the AUTH that ends with it; empty: none is known */
	struct str user;   /* empty before login */
	struct str sender; /* of the transaction, empty: null; p NULL outside */
	const char *what;  /* key of the stranger's words, NULL: none */
	struct str words;
	uint64_t size;     /* that there is no room for; 0: not said */
	uint64_t room;     /* that there is instead */
};

enum { SESSION_BINDING_BYTES = 32 };

/* Those that return bool answer later when true; false: that service is not there now. */
struct session_services {
	int64_t (*now_ms)(void *arg);
	int64_t (*mono_ms)(void *arg);
	/* session_expired at that time; replaces the former deadline */
	void (*deadline)(void *arg, int64_t mono_ms);
	/* received bytes that the session was not shown yet */
	bool (*has_unseen)(void *arg);
	/* when what was said is sent: session_secured */
	bool (*start_tls)(void *arg);
	/* the bytes of tls-exporter (RFC 9266); false: there are none */
	bool (*binding)(void *arg, unsigned char out[SESSION_BINDING_BYTES]);
	/* session_auth_answer */
	bool (*start_auth)(void *arg, const struct message_auth_start *m);
	bool (*step_auth)(void *arg, const struct message_auth_step *m);
	void (*cancel_auth)(void *arg, const struct message_auth_cancel *m);
	/* as far as is known, the largest message that the spool has room for now */
	uint64_t (*room)(void *arg);
	/* no message at all can be stored, and not for want of room */
	bool (*is_failing)(void *arg);
	/* one recipient of the user's limit, at once; false: it must be asked for */
	bool (*take_token)(void *arg, struct str user);
	/* session_queue_answer: with 250 one is taken */
	bool (*ask_token)(void *arg, struct str user);
	/* of those taken: they are not used, and nothing more is awaited; a commit has used them */
	void (*return_tokens)(void *arg, struct str user, uint32_t count);
	void (*spend_tokens)(void *arg, struct str user, uint32_t count);
	/* false: so many files wait to be closed that none may be asked for */
	bool (*may_open_file)(void *arg);
	/* session_queue_answer */
	bool (*open_file)(void *arg, const struct message_spool_file *m);
	bool (*commit)(void *arg, const struct message_commit *m);
	/* gives back the file */
	void (*release)(void *arg, const struct message_release *m);
	/* a copy goes into the file, one piece at a time: session_written, unless the file is
	 * given back before */
	void (*write_file)(void *arg, uint64_t at, struct str bytes);
	/* for how long the disk has been at one piece, of whichever session; 0: at none */
	int64_t (*disk_stands_ms)(void *arg);
	void (*refused)(void *arg, const struct session_refusal *r);
};

struct session_setup {
	const struct session_services *services;
	void *arg;
	struct conf *conf; /* a reference is taken */
	uint64_t id;
	const char *client;   /* its address; kept by the caller */
	uint16_t port;        /* ours */
	bool is_implicit_tls; /* TLS comes first, then the greeting */
	bool may_tls;         /* STARTTLS is offered */
};

struct session_counts {
	uint32_t messages, recipients, refused;
};

struct session *session_new(const struct session_setup *setup);
/* Cancels what was asked. */
void session_free(struct session **s);

/* The greeting, or waiting for TLS. */
enum session_step session_begin(struct session *s);
/* TLS stands; has_binding: it has a tls-exporter, which is asked for when a login needs it. */
enum session_step session_secured(struct session *s, const char *version, bool has_binding);
/* Takes a line or a block from the front of `in`.  Call it again while it returns NEXT and used
 * something. */
enum session_step session_take(struct session *s, struct str in, size_t *used_out);
/* What was taken last may hold a password: the owner of the bytes wipes them. */
bool session_had_secret(const struct session *s);
/* NULL: the service is lost.  Nothing may have been asked (a late answer): then nothing happens. */
enum session_step session_auth_answer(struct session *s, const struct message_auth_answer *a);
enum session_step session_queue_answer(struct session *s, const struct smtp_status *verdict);
/* The piece that was to be written stands in the file; else `fault` says why not. */
enum session_step session_written(struct session *s, const struct smtp_status *fault);
enum session_step session_expired(struct session *s);
/* The server stops: says goodbye now, or after the message that is under way.  Called again: the
 * message's time is over as well. */
enum session_step session_stop(struct session *s);
/* The login was suspended or removed. */
enum session_step session_user_gone(struct session *s);

/* Replies not yet sent: to be taken out after each call above. */
struct buf *session_out(struct session *s);
struct str session_user(const struct session *s);
struct session_counts session_counts(const struct session *s);
/* Why it ended, a word for the log: quit, timeout, errors … */
const char *session_reason(const struct session *s);

#endif
