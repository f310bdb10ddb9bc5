/*
 * session_internal: the state of a session, shared by session.c and the files of its commands
 * (hello, smtpd_auth, smtpd_transaction, smtpd_data, bdat, content_input, smtpd_line), the
 * stages and stage, and not used elsewhere.
 */
#ifndef SUBMISSION_SESSION_INTERNAL_H
#define SUBMISSION_SESSION_INTERNAL_H

#include "mail/dot.h"
#include "mail/envelope.h"
#include "mail/mail_address.h"
#include "submission/content.h"
#include "submission/session.h"

enum session_state {
	STATE_HANDSHAKE,    /* during the TLS handshake */
	STATE_PLAIN,        /* no TLS */
	STATE_TLS,          /* TLS, before EHLO */
	STATE_EHLO,         /* TLS, after EHLO */
	STATE_AUTH,         /* within an AUTH exchange */
	STATE_LOGGED_IN,    /* logged in, no transaction */
	STATE_MAIL,         /* after MAIL */
	STATE_RCPT,         /* after RCPT */
	STATE_DATA,         /* content until the final dot */
	STATE_BDAT,         /* octets of a BDAT chunk */
	STATE_BDAT_NEXT,    /* between two BDAT chunks */
	STATE_WRITING,      /* no input is taken until a write to the file has ended */
	STATE_BDAT_DISCARD, /* octets of a chunk that will be refused */
	STATE_STAGES,       /* a stage waits for its answer */
	STATE_STATES
};
#define AT(state) (1u << (state))

/* Runs a command with these arguments. */
typedef enum session_step session_verb_fn(struct session *s, struct str args);
/* Handles the answer of the queue. */
typedef enum session_step session_answer_fn(struct session *s, const struct smtp_status *answer);
/* Takes bytes from the front of `in`; *used_out: how many. Also called without input, after an
 * answer or a wait, to continue with what was taken before. */
typedef enum session_step session_read_fn(struct session *s, struct str in, size_t *used_out);

struct stage;
struct stage_message;

/* A message on its way through a table of stages; see stage.h. */
struct stage_run {
	const struct stage *at; /* the stage that has the message */
	struct stage_message *message;
	bool is_waiting;
};

struct smtpd_transaction {
	struct arena arena; /* for everything below, and for the fields of the header */
	struct str sender;
	struct str envid;
	enum envelope_return ret;
	bool smtputf8;
	uint32_t tokens; /* of the user's limit: one for each recipient */
	bool is_token_asked;
	bool is_committed;        /* the queue has the message, and uses the tokens */
	bool has_file;            /* the queue was asked for one */
	uint64_t announced_bytes; /* by SIZE; 0: not announced */
	struct buf recipients;    /* of struct envelope_recipient */
	size_t envelope_bytes;    /* an estimate, not too low */
	/* the recipient whose token is requested: address, then ORCPT */
	struct buf pending_recipient;
	size_t pending_address_bytes;
	unsigned pending_notify;
	struct stage_run stages; /* message NULL: the content is not complete */
};

/* How the content comes. */
struct content_input {
	struct dot dot;
	struct crlf_check check;
	uint64_t total_bytes; /* so far, with the empty line */
	uint64_t chunk_left;
	bool is_chunked;
	bool is_last; /* this chunk is the last one; DATA counts as one chunk */
	bool has_octets;       /* the chunk has brought octets */
	bool is_writing;       /* a write to the file is in progress */
	int64_t wait_began_ms; /* in STATE_WRITING */
	const char *fault_reason;
	struct smtp_status *fault; /* in the arena; from then on the content is discarded */
};

struct session {
	const struct session_services *services;
	void *arg;
	struct conf *conf;
	const struct stage *stages; /* the table for its messages */
	uint64_t id;
	const char *client;
	uint16_t port;
	bool may_tls;
	bool is_secure;
	bool has_binding;
	bool was_greeted;
	bool is_stopping;
	bool is_after_cr;  /* the last discarded byte was CR */
	bool is_auth_line; /* the discarded line began with AUTH */
	uint8_t bad_commands, long_lines, auth_failures;
	uint16_t idle_commands; /* since the last message */
	char tls[8];
	enum session_state state;
	enum session_state state_before; /* STATE_WRITING, STATE_BDAT_DISCARD: to return to */
	session_answer_fn *on_answer; /* handles the queue's answer; NULL: no request is open */
	bool is_auth_asked;           /* auth has an exchange of this session */
	bool had_secret;              /* in the line that was taken last */
	bool is_auth_begun;           /* the first response was sent to auth */
	char mechanism[24];           /* upper case */
	size_t bytes_after_line;      /* input bytes after the current line */
	uint32_t discarded_bytes;     /* of an overlong line */
	int64_t login_deadline_ms, message_deadline_ms;
	uint32_t number; /* transactions so far */
	struct session_counts counts;
	const char *reason;
	const char *logged_reason, *logged_stage; /* of the refusal that was logged last */
	uint32_t logged_number;                   /* its transaction */
	struct buf out, helo, user;
	struct smtpd_transaction transaction;
	struct content content;
	struct content_input input;
};

/* Sets the state, and the deadline that belongs to it. Nothing else sets the state. */
void session_enter(struct session *s, enum session_state state);
/* The state of this session when it has no transaction. */
enum session_state session_idle_state(const struct session *s);
/* Whether a user is logged in. */
bool session_has_login(const struct session *s);

/* Runs one command line, given without its CRLF. */
enum session_step session_command(struct session *s, struct str line);
/* Refuses this verb as the present state demands. */
enum session_step session_out_of_order(struct session *s, const char *verb);

/* The status when the queue is not available. */
struct smtp_status session_queue_lost(void);

/* Appends the reply. Returns NEXT. */
enum session_step session_reply(struct session *s, const struct smtp_status *status);
/* Appends the reply, counts the refusal and logs it (not the same one twice in a row). CLOSE after
 * too many errors. */
enum session_step session_refuse(
    struct session *s, const char *stage, const char *reason, const struct smtp_status *status);
/* Appends the reply. Returns CLOSE. */
enum session_step session_reply_close(
    struct session *s, const char *reason, const struct smtp_status *status);
/* Counts a refusal for the metrics. */
void session_count_refusal(const char *stage, const struct smtp_status *status);
/* Like session_refuse, with a value for the log that the client sent. */
struct session_detail {
	const char *key;
	struct str value;
	uint64_t size, room; /* see struct session_refusal */
};
enum session_step session_refuse_with_detail(struct session *s, const char *stage,
    const char *reason, const struct smtp_status *status, struct session_detail detail);

#endif
