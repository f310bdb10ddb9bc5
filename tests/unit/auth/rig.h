/*
 * rig: the real broker and real workers as processes in their sandboxes; the test acts as main,
 * submission and control.
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

/* PLAIN of alice with the right and with a wrong password, and settings for tests. */
#define GOOD STR("\0alice@example.com\0wonderland")
#define WRONG STR("\0alice@example.com\0x")
#define BINDING "0123456789abcdef0123456789abcdef"
#define HIGH_LIMIT "failure_limit = \"1000 / 1m\";"

struct rig_check { /* A check that the broker sent to the fake worker. */
	uint64_t call;
	char user[64], mechanism[32], first[128];
	struct str password; /* points into `first`; of PLAIN */
	struct scram_secret secret; /* salt and iterations */
};

struct rig_request { /* A request that the broker sent to the fake worker of the accounts. */
	uint64_t call;
	enum message_type type;
	char name[64]; /* of a look-up; the verb of a command */
};

struct rig {
	struct event_base *base;
	char directory[64];
	const char *more_domains; /* items behind example.com; NULL: none */
	bool is_no_first_start;   /* a store that is missing is not made */
	struct rig_child broker, accounts, workers[RIG_WORKERS];
	/* fake_worker: the broker's channel to the test */
	struct channel *submission, *control, *fake_worker, *fake_accounts;
	unsigned restarts, last_restart; /* asked of main: how often, and the last index */
	unsigned last_restart_role;
	unsigned users_gone;
	char last_user_gone[64];
	struct rig_check checks[RIG_CHECKS_MAX];
	unsigned check_count;
	struct rig_request requests[RIG_CHECKS_MAX];
	unsigned request_count;
	unsigned alerts; /* to main */
	uint8_t alert_kind;
	char alert[2048]; /* the last one: "OBJECT|TEXT" */
	unsigned answers; /* the number of all answers, to compare their order */
};

struct rig_answer {
	struct rig *rig;
	bool is_done, is_lost;
	enum request_end end;
	unsigned order; /* 1: the first answer in this rig */
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

/* Makes an empty directory for the store. The test then fills it, and starts the processes. */
struct rig *rig_new(void);
void rig_store(struct rig *r, const char *user, const char *password, const char *suspended);
/* Adds an account with a password that no test uses. */
void rig_store_iterations(struct rig *r, const char *user, uint32_t iterations);
/* Has alice, whose password is right in GOOD, and mallory, who is suspended; then as rig_run. */
struct rig *rig_with_alice(const char *auth, unsigned workers);
/* Starts the processes. auth: lines of the auth group. */
void rig_run(struct rig *r, const char *auth, unsigned workers);
/* Starts the worker of the accounts, in place of the one before, which has ended. */
void rig_accounts(struct rig *r);
/* Ends the worker of the accounts, or it and the broker, by SIGKILL: the store is not open any
 * more. */
void rig_kill_accounts(struct rig *r);
void rig_kill(struct rig *r);
/* Starts a worker process for the broker, or connects the test as a worker. */
void rig_worker(struct rig *r, unsigned index);
void rig_fake_worker(struct rig *r, unsigned index);
void rig_free(struct rig **r);

void rig_start(struct rig *r, uint64_t session, const char *mechanism, const struct str *initial,
    struct rig_answer *out);
/* As rig_start, with all values given. */
void rig_start_as(struct rig *r, const struct message_auth_start *m, struct rig_answer *out);
void rig_step(struct rig *r, uint64_t session, struct str response, struct rig_answer *out);
void rig_cancel(struct rig *r, uint64_t session);
void rig_admin(struct rig *r, const char *verb, const char *values[][2], struct rig_admin *out);
/* The same, without waiting for the end. */
void rig_admin_begin(
    struct rig *r, const char *verb, const char *values[][2], struct rig_admin *out);
/* The same as rig_admin; returns the result. */
struct rig_admin rig_admin_done(struct rig *r, const char *verb, const char *values[][2]);
/* Gives a command for blocks or users with this name: for an hour, with the reason "it guesses". */
struct rig_admin rig_admin_named(struct rig *r, const char *verb, const char *name);
/* True: the key has this value in the last row. */
bool rig_row_has(const struct rig_admin *a, const char *key, const char *value);
/* How often the text is in the log that the test has redirected to this descriptor. */
unsigned rig_log_count(int log, const char *text);
/* Connects the test as the worker of the accounts, in place of the process that has ended. */
void rig_fake_accounts(struct rig *r);
/* Answers a look-up with a result, and for FOUND with the secret of this password. */
void rig_answer_account(struct rig *r, unsigned request, uint8_t result, const char *password);
/* Gives a new process for the accounts or the test a channel to the broker. */
void rig_connect(struct rig *r, enum role_kind kind, int fd);
/* Answers a check as a real worker does: with the key of the password. */
void rig_answer_check(struct rig *r, unsigned check);
/* Answers a check with any outcome and key. */
void rig_answer_check_with(struct rig *r, unsigned check, uint8_t outcome, struct str key);

/* Runs the loop until *flag is set; the test fails after a time. */
void rig_until(struct rig *r, const bool *flag);
void rig_until_count(struct rig *r, const unsigned *count, unsigned enough);
/* Sends a response; the answer must have this reply code, or be 334 with this challenge. */
void rig_step_expect(
    struct rig *r, uint64_t session, struct str response, unsigned code, const char *challenge);
/* Starts a login and waits: returns the reply code, 334 for a challenge. */
unsigned rig_login(struct rig *r, uint64_t session, const char *mechanism, struct str initial);

/* Overwrites one byte of this user's row, `offset` bytes after the beginning of the name, in a
 * store that is not open. Returns the byte that was there. */
char rig_damage(const struct rig *r, const char *user, ssize_t offset, char byte);

/* True: the stored keys are those of this password. */
bool rig_password_matches(const struct scram_secret *s, struct str password);

#endif
