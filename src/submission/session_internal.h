/*
 * session_internal: the inside of a session, shared by session.c and the files of its verbs (hello,
 * login, transaction, content, chunk) and by nobody else.
 */
#ifndef SUBMISSION_SESSION_INTERNAL_H
#define SUBMISSION_SESSION_INTERNAL_H

#include "mail/body_facts.h"
#include "mail/dot.h"
#include "mail/envelope.h"
#include "mail/mail_address.h"
#include "submission/session.h"

enum session_state {
	STATE_HANDSHAKE, /* TLS is being made */
	STATE_PLAIN,     /* no TLS */
	STATE_TLS,     /* TLS, and nothing said in it */
	STATE_EHLO,    /* EHLO was said inside TLS */
	STATE_AUTH,     /* within an AUTH exchange */
	STATE_LOGGED_IN,   /* logged in, no transaction */
	STATE_MAIL,    /* MAIL */
	STATE_RCPT,     /* and RCPT */
	STATE_DATA,      /* content until the dot */
	STATE_BDAT,     /* content of one BDAT */
	STATE_BDAT_NEXT,    /* between two BDAT */
	STATE_WRITING,   /* the file takes no more until a piece is written */
	STATE_BDAT_DISCARD,    /* a chunk that nobody wants */
	STATE_COMMIT,   /* the queue was asked for durability */
	STATE_STATES
};
#define AT(state) (1u << (state))

typedef enum session_step session_verb_fn(struct session *s, struct str args);
typedef enum session_step session_answer_fn(struct session *s, const struct smtp_status *verdict);
typedef enum session_step session_read_fn(struct session *s, struct str in, size_t *used_out);

struct smtpd_transaction {
	struct arena arena; /* of all below and of the content's header */
	struct str sender;
	struct str envid;
	enum envelope_return ret;
	bool smtputf8;
	uint32_t tokens;       /* of the user's limit: one for each recipient */
	bool is_token_asked;
	bool is_committed;     /* the queue has the message, and spends the tokens */
	bool has_file;         /* the queue was asked for one */
	uint64_t said_bytes;   /* by SIZE; 0: not said */
	struct buf recipients; /* of struct envelope_recipient */
	size_t envelope_bytes; /* estimate, on the large side */
	/* the recipient that the queue was asked for: address, then ORCPT */
	struct buf asked;
	size_t asked_address_bytes;
	unsigned asked_notify;
};

struct content {
	struct buf bytes;  /* header, empty line, body; the body's rest once in_file */
	struct str header; /* once in_file: in the arena */
	size_t scanned;    /* no empty line ends before */
	size_t body_at;    /* in bytes; 0: the header goes on */
	uint64_t total_bytes;
	uint64_t file_bytes;
	uint64_t chunk_left;
	struct dot dot;
	struct crlf_check check;
	bool is_chunked;
	bool is_last; /* this piece is the last one */
	bool is_piece_done;
	bool is_fed;            /* the chunk brought octets */
	bool in_file;
	bool is_writing;       /* a piece is on its way into the file */
	int64_t wait_began_ms; /* in STATE_WRITING */
	bool has_8bit_body;
	struct body_facts facts; /* of the body */
	const char *fault_reason;
	struct smtp_status *fault; /* in the arena; nothing is kept any more */
};

struct session {
	const struct session_services *services;
	void *arg;
	struct conf *conf;
	uint64_t id;
	const char *client;
	uint16_t port;
	bool may_tls;
	bool is_secure;
	bool has_binding;
	bool was_greeted;
	bool is_stopping;
	bool after_cr;     /* the last byte swallowed */
	bool is_auth_line; /* what is swallowed began with AUTH */
	uint8_t bad_commands, long_lines, auth_failures;
	uint16_t idle_commands; /* since the last message */
	char tls[8];
	enum session_state state;
	enum session_state before; /* STATE_WRITING, STATE_BDAT_DISCARD: where to return to */
	session_answer_fn *heard;         /* who hears the queue's verdict; NULL: nothing asked */
	bool is_auth_asked;        /* the broker has a conversation of this session */
	bool had_secret;           /* the line taken last */
	bool is_auth_begun;        /* it has had the first message */
	char mechanism[24];        /* upper case */
	size_t behind;             /* input bytes behind the line in hand */
	uint32_t swallowed;        /* of an overlong line */
	int64_t login_deadline_ms, message_deadline_ms;
	uint32_t number; /* transactions so far */
	struct session_counts counts;
	const char *reason;
	const char *told, *told_stage; /* reason and stage of the last refusal logged, */
	uint32_t told_number;          /* and its transaction */
	struct buf out, helo, user;
	struct smtpd_transaction transaction;
	struct content content;
};

/* The one writer of state; arms its deadline. */
void session_enter(struct session *s, enum session_state state);
/* Where the session is without a transaction. */
enum session_state session_idle_state(const struct session *s);
bool session_has_login(const struct session *s);

/* One command line, without its CRLF. */
enum session_step session_command(struct session *s, struct str line);
/* The refusal of this verb in this state. */
enum session_step session_out_of_order(struct session *s, const char *verb);

/* The queue is not there. */
struct smtp_status session_queue_lost(void);

/* NEXT. */
enum session_step session_reply(struct session *s, const struct smtp_status *status);
/* Says it, counts it, logs it (not the same twice in a row).  CLOSE after too many errors. */
enum session_step session_refuse(
    struct session *s, const char *stage, const char *reason, const struct smtp_status *status);
/* CLOSE. */
enum session_step session_reply_close(
    struct session *s, const char *reason, const struct smtp_status *status);
/* Same as session_refuse with what a stranger wrote, for the log. */
struct session_words {
	const char *what;
	struct str words;
	uint64_t size, room; /* see struct session_refusal */
};
enum session_step session_refuse_words(struct session *s, const char *stage, const char *reason,
    const struct smtp_status *status, struct session_words words);

#endif
