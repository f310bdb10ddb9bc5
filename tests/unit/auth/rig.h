/*
 * rig: the real broker and real workers as processes in their sandboxes; the test is their main,
 * their submission and their control.
 */
#ifndef TESTS_UNIT_AUTH_RIG_H
#define TESTS_UNIT_AUTH_RIG_H

#include <sys/types.h>

#include "auth/accounts.h"
#include "ipc/role.h"

enum { RIG_WORKERS = 2, RIG_CHECKS_MAX = 64 };

struct rig_child {
	pid_t pid;
	struct channel *main;
	bool is_ready;
};

/* What alice's client says, and what is no password; enough wrong ones for a test. */
#define GOOD STR("\0alice@example.com\0wonderland")
#define WRONG STR("\0alice@example.com\0x")
#define BINDING "0123456789abcdef0123456789abcdef"
#define ALL_MECHANISMS                                                                             \
	"mechanisms = ( \"SCRAM-SHA-256-PLUS\", \"SCRAM-SHA-256\", \"PLAIN\", \"LOGIN\" );"
#define HIGH_LIMIT "failure_limit = \"1000 / 1m\";"

struct rig_check { /* by a worker that the test plays */
	uint64_t call;
	char user[64], mechanism[32], first[128];
	struct str password; /* a view of first: PLAIN's */
	struct scram_secret secret; /* salt and iterations */
};

struct rig {
	struct event_base *base;
	char directory[64];
	const char *more_domains; /* items behind example.com; NULL: none */
	bool is_no_first_start;   /* a store that is missing is not made */
	struct rig_child broker, workers[RIG_WORKERS];
	struct channel *submission, *control, *fake_worker; /* played: we are the worker */
	unsigned restarts, last_restart;
	unsigned users_gone;
	char last_user_gone[64];
	struct rig_check checks[RIG_CHECKS_MAX];
	unsigned check_count;
	unsigned alerts; /* to main */
	uint8_t alert_kind;
	char alert[2048]; /* the last: "OBJECT|TEXT" */
	unsigned answers; /* counts all, to see in which order they came */
};

struct rig_answer {
	struct rig *rig;
	bool is_done, is_lost;
	enum request_end end;
	unsigned order; /* 1: the first that this rig heard */
	uint8_t outcome;
	struct smtp_status status;
	char challenge[4096];
	size_t challenge_n;
	char user[256];
	bool from_cache;
};

struct rig_admin {
	bool is_done;
	unsigned rows;
	uint8_t exit_code;
	char text[1024]; /* for the operator */
	char last_row[4096];
	size_t last_row_n;
};

/* An empty directory for the store; then, when it is filled, the processes. */
struct rig *rig_new(void);
void rig_store(struct rig *r, const char *user, const char *password, const char *suspended);
/* With a password that nobody will use. */
void rig_store_iterations(struct rig *r, const char *user, uint32_t iterations);
/* With alice, whose password is right in GOOD, and mallory, who is suspended; then as rig_run. */
struct rig *rig_with_alice(const char *auth, unsigned workers);
/* auth: lines of the auth group. */
void rig_run(struct rig *r, const char *auth, unsigned workers);
/* A new worker process for the broker, or (play) one whose part the test plays. */
void rig_worker(struct rig *r, unsigned index);
void rig_fake_worker(struct rig *r, unsigned index);
void rig_free(struct rig **r);

void rig_start(struct rig *r, uint64_t session, const char *mechanism, const struct str *initial,
    struct rig_answer *out);
/* As rig_start, with everything said. */
void rig_start_as(struct rig *r, const struct message_auth_start *m, struct rig_answer *out);
void rig_step(struct rig *r, uint64_t session, struct str response, struct rig_answer *out);
void rig_cancel(struct rig *r, uint64_t session);
void rig_admin(struct rig *r, const char *verb, const char *values[][2], struct rig_admin *out);
/* The same, and what came of it. */
struct rig_admin rig_admin_done(struct rig *r, const char *verb, const char *values[][2]);
/* A verb of blocks or users for this name: for an hour, with the reason "it guesses". */
struct rig_admin rig_admin_named(struct rig *r, const char *verb, const char *name);
/* The value of that key in the last row. */
bool rig_row_has(const struct rig_admin *a, const char *key, const char *value);
/* How often the text stands in that file: a log that the test keeps. */
unsigned rig_log_count(int log, const char *text);
/* As the worker: the key of the password that was seen, as an honest one gives it. */
void rig_answer_check(struct rig *r, unsigned check);
/* Whatever it likes to say. */
void rig_answer_check_with(struct rig *r, unsigned check, uint8_t outcome, struct str key);

/* Runs the loop until *flag; the test fails when it takes for ever. */
void rig_until(struct rig *r, const bool *flag);
void rig_until_count(struct rig *r, const unsigned *count, unsigned enough);
/* What the client says next is answered so: a reply code, or 334 and this challenge. */
void rig_step_expect(
    struct rig *r, uint64_t session, struct str response, unsigned code, const char *challenge);
/* Start and wait: the reply code, 334 for a challenge. */
unsigned rig_login(struct rig *r, uint64_t session, const char *mechanism, struct str initial);

/* A byte of this user's row, so far behind the beginning of the name, becomes another, in the file
 * of a store that nobody has open.  The byte that was there. */
char rig_damage(const struct rig *r, const char *user, ssize_t offset, char byte);

/* The stored keys are those of this password. */
bool rig_password_matches(const struct scram_secret *s, struct str password);

#endif
