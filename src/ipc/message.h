/*
 * message: all messages between roles.  Each message is one struct, described by one table row per
 * field.  The encoder, the decoder and the fuzz target use the same table.  Little endian, no
 * padding, lengths are checked, unknown types are refused.  Both ends are the same build: the build
 * id is the first message on a channel.  Only the tool may be of another build than the daemon, so
 * HELLO keeps its number and its form in all builds.
 */
#ifndef IPC_MESSAGE_H
#define IPC_MESSAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/id.h"
#include "mail/smtp_status.h"

enum {
	MESSAGE_BYTES_MAX = 212960 - 64,
	MESSAGE_CONTENT_MAX = 131072,
	MESSAGE_CLAIMED_NAME_MAX = 255
};

enum message_type {
	MESSAGE_NONE,
	/* main -> role: what it may use; some pass a descriptor (see each struct) */
	MESSAGE_HELLO, MESSAGE_CONFIG, MESSAGE_LOG, MESSAGE_PEER, MESSAGE_GRANT, MESSAGE_START,
	MESSAGE_STOP, MESSAGE_PING, MESSAGE_NOTICE, MESSAGE_GRANTS_AGAIN,
	/* role -> main */
	MESSAGE_READY, MESSAGE_STOPPED, MESSAGE_RESTART, MESSAGE_PONG, MESSAGE_REFUSED,
	MESSAGE_PEER_LOST, MESSAGE_ALERT, MESSAGE_GRANT_LOST,
	/* submission -> keys, synchronous */
	MESSAGE_SIGN, MESSAGE_SIGNED, MESSAGE_KEY_ASK, MESSAGE_KEY,
	/* submission <-> auth broker <-> worker */
	MESSAGE_AUTH_START, MESSAGE_AUTH_STEP, MESSAGE_AUTH_CANCEL, MESSAGE_AUTH_ANSWER,
	MESSAGE_AUTH_USER_GONE, MESSAGE_AUTH_USERS_ASK, MESSAGE_AUTH_USERS,
	MESSAGE_CHECK_START, MESSAGE_CHECK_ANSWER, MESSAGE_LOOK_UP, MESSAGE_ACCOUNT,
	MESSAGE_USERS_LOOK_UP, MESSAGE_USERS_FOUND, MESSAGE_ACCOUNT_COMMAND, MESSAGE_ACCOUNT_DONE,
	MESSAGE_BACKEND_STATE,
	/* submission <-> queue */
	MESSAGE_LEASE_ASK, MESSAGE_LEASE, MESSAGE_LEASE_RETURN, MESSAGE_LEASE_RECALL,
	MESSAGE_RELEASE, MESSAGE_SPOOL_FILE, MESSAGE_COMMIT, MESSAGE_STATUS, MESSAGE_ROOM,
	/* queue <-> relay */
	MESSAGE_DESTINATION_ASK, MESSAGE_DESTINATION, MESSAGE_DELIVER, MESSAGE_CANCEL,
	MESSAGE_RESULT, MESSAGE_RESULT_STORED,
	MESSAGE_RUNNING_ASK, MESSAGE_RUNNING, MESSAGE_CAUGHT_UP,
	/* the operator's commands: tool -> control, control -> the role that executes it */
	MESSAGE_COMMAND, MESSAGE_ADMIN, MESSAGE_ADMIN_ROW, MESSAGE_ADMIN_DONE,
	MESSAGE_ADMIN_TAKEN, MESSAGE_TYPES
};

/* ---- main and roles ---- */

struct message_hello { struct str build; };              /* first on every channel, both ways */
struct message_config { uint32_t generation; };          /* fd: sealed memfd, this role's keys */
struct message_log { uint8_t addresses; uint64_t secret; }; /* how addresses are shown */
struct message_peer { uint8_t role; uint8_t index; uint32_t number; }; /* fd: our end */
struct message_grant {                                   /* fd: what is granted */
	uint8_t kind;     /* enum role_grant */
	uint8_t index;    /* of a listener, of a certificate; the region of the client table */
	struct str name;  /* file name, for messages; ticket key: 64 bytes; client table: empty */
};
struct message_start { uint8_t node; uint8_t slot; int64_t floor_ms; }; /* all is granted: start */
struct message_stop { int64_t drain_ms; };
struct message_ready { int64_t newest_ms; };             /* queue: newest id time in the spool */
struct message_stopped { uint8_t unused; };
struct message_ping { uint32_t number; };    /* requests a sign of life, */
struct message_pong { uint32_t number; };    /* answered by the role's loop, same number */
struct message_refused { uint8_t exit_status; struct str text; }; /* why it cannot start */
/* the channel is lost; number: that of the PEER message that opened it */
struct message_peer_lost { uint8_t role; uint8_t index; uint32_t number; };
struct message_grant_lost { uint8_t unused; }; /* its descriptor; no more are taken until */
struct message_grants_again { uint8_t unused; }; /* main sends all of a reload again */
struct message_restart { uint8_t role; uint8_t index; struct str reason; }; /* of a worker */
/* ---- keys ---- */

struct message_sign {
	struct str key_id;   /* 32 bytes: SHA-256 of the SubjectPublicKeyInfo */
	uint32_t algorithm;  /* gnutls_sign_algorithm_t */
	bool is_hash;        /* data is already the digest */
	struct str data;
};
struct message_signed { bool ok; struct str signature; };
struct message_key_ask { struct str key_id; };
struct message_key { bool known; uint32_t algorithm; uint32_t bits; }; /* gnutls_pk_algorithm_t */

/* ---- auth ---- */

struct message_auth_start {
	uint64_t session;
	struct str mechanism;    /* upper case, an offered one */
	bool has_initial;
	struct str initial;      /* decoded */
	struct str client;       /* "203.0.113.7" */
	struct str binding;      /* tls-exporter bytes; empty: none */
	uint16_t port;
	struct str tls;          /* "TLSv1.3" */
	struct str hostname;
};
struct message_auth_step { uint64_t session; struct str response; }; /* decoded */
struct message_auth_cancel { uint64_t session; };
struct message_auth_answer {
	uint8_t outcome;         /* enum auth_outcome */
	struct str challenge;    /* CONTINUE: decoded */
	struct smtp_status status;    /* OK: 235; else 535, 454, 501, 421 */
	struct str user;         /* OK: canonical login */
	struct str backend;
	bool from_cache;
};
enum auth_outcome { AUTH_CONTINUE, AUTH_OK, AUTH_FAIL, AUTH_TEMPFAIL, AUTH_MALFORMED };
struct message_auth_user_gone { struct str user; }; /* suspended or removed: end its sessions */
/* On a new channel: which of these accounts do not exist any more?  Names, each with a zero byte
 * after it. */
struct message_auth_users_ask { struct str users; };
/* Of these names: those without an account that may log in, and those that cannot be checked
 * now. */
struct message_auth_users { struct str gone, unknown; };

/* ---- queue, from submission ---- */

/* Tokens for a user's sending limits, one for each recipient: submission spends the tokens of its
 * lease without asking again. */
struct message_lease_ask {    /* answer: LEASE */
	struct str user;
	uint32_t wanted;      /* at least 1 */
};
struct message_lease {
	struct smtp_status status;
	struct str limit;     /* 250; or why there are none, and by which limit */
	uint32_t tokens;      /* 250: at least 1; may be fewer or more than wanted */
};
struct message_lease_return { /* no answer */
	struct str user;
	uint32_t tokens;
	bool is_all;          /* submission has no tokens of this user left */
};
struct message_lease_recall { struct str user; }; /* queue: return the unused tokens */
/* the file of SPOOL_FILE will not be committed; no answer */
struct message_release { uint64_t session; uint32_t number; };
/* answer: STATUS with a descriptor */
struct message_spool_file {
	uint64_t session; uint32_t number; uint64_t size_hint; struct str user;
};
struct message_commit {      /* answer: STATUS, 250 only when durable */
	struct str envelope; /* envelope_encode */
	struct str header;   /* without the empty line */
	bool in_file;        /* the body is in the file of SPOOL_FILE, same session and number */
	struct str body;     /* when not in_file */
};
struct message_status { struct smtp_status status; };
/* queue: what the spool can accept now; no answer */
struct message_room {
	uint64_t file_bytes; /* the largest body in a file */
	bool is_full;        /* no message at all: there is no space */
	bool is_failing;     /* no message at all: the disk fails to write */
};

/* ---- queue <-> relay ---- */

/* answer: DESTINATION; the text of a destination (policy/destination.h) */
struct message_destination_ask { struct str next_hop; };
struct message_destination {
	struct str destination; /* the next hop with its hosts; empty: not found, see status */
	uint32_t ttl_s;
	struct smtp_status status; /* when it is empty: 4xx or 5xx for every recipient there */
};
struct message_deliver {     /* fd: the body file when body_in_file */
	uint64_t attempt_id;
	struct str next_hop, destination; /* as they were asked and answered */
	struct str envelope; /* complete; only recipients listed below are to be tried */
	struct str numbers;  /* recipient numbers, 4 bytes little endian each */
	struct str header;
	bool body_in_file;
	struct str body;
	struct str sums;     /* of the body file (base/block_sums); empty: not known */
	uint32_t attempt;    /* 1 first */
	uint64_t ticket;     /* to be shown with every answer about the attempt */
};
/* Relay ends it, with results for all that have none.  is_forced: its time is over.  Else the
 * operator holds or deleted it: a host that has the whole message is waited for. */
struct message_cancel { uint64_t attempt_id; bool is_forced; };
struct message_result {      /* one recipient's; kept by relay until RESULT_STORED */
	uint64_t attempt_id, ticket;
	struct msgid id;
	uint32_t recipient;
	struct smtp_status status;    /* 2xx sent, 4xx deferred, 5xx failed */
	struct str reason;       /* closed set: none greylisted connect timeout dns tls refused … */
	struct str host;         /* "mx1.example.net" */
	struct str address;      /* "192.0.2.25" */
	uint16_t port;
	struct str source;       /* our own address */
	struct str tls;          /* see smtp_connection_tls; empty: no host was reached */
	struct str destination;  /* with its hosts; empty: not found */
	int64_t took_ms;
	bool is_last;            /* of this attempt */
	bool dsn_passed_on;      /* the next hop takes over the DSN duties */
	bool is_delivered;       /* the host stores it itself (LMTP) and does not relay it */
	bool was_ready;          /* a session with a host came as far as MAIL */
};
struct message_result_stored { uint64_t attempt_id; uint32_t recipient; struct msgid id; };
/* a new queue asks for old results and running attempts; answer, after them: CAUGHT_UP */
struct message_running_ask { uint8_t unused; };
struct message_running { uint64_t attempt_id, ticket;
	struct msgid id; struct str numbers, next_hop, destination; };
struct message_caught_up { uint8_t unused; }; /* all old results and running attempts are sent */

#include "ipc/message_notice.h"
#include "ipc/message_operator.h"
#include "ipc/message_worker.h"
#include "ipc/message_union.h"

/* ---- codec ---- */

/* Appends type and fields; false when the buffer is full. */
bool message_encode(enum message_type type, const void *message, struct buf *out) MUST_USE;
/* One row of a type's table, for tests; false: there is no such row. */
struct message_row {
	size_t offset, bytes, alignment; /* in the struct */
	char kind;                       /* number, bool, text, status, id: the first letter */
};
bool message_row(enum message_type type, size_t index, struct message_row *out);

/* Fills *out from bytes; strings point into bytes. */
bool message_decode(struct str bytes, enum message_type *type_out, union message *out) MUST_USE;
/* The name of the type, for the log. */
const char *message_name(enum message_type type);
/* May the message hold a password?  Buffers that held one are wiped. */
bool message_is_secret(unsigned type);

/* Keyed lists of admin messages: adding a value, and reading the next one. */
void message_values_add(struct buf *values, const char *key, struct str value);
void message_values_add_number(struct buf *values, const char *key, uint64_t number);
void message_values_add_signed(struct buf *values, const char *key, int64_t number);
bool message_values_next(struct str *rest, struct str *key_out, struct str *value_out) MUST_USE;
/* The first value of that key, or an empty view. */
struct str message_values_get(struct str values, const char *key);

#endif
