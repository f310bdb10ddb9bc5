/*
 * message_worker: the messages between the auth broker and its workers.  A part of ipc/message.h.
 */
#ifndef IPC_MESSAGE_WORKER_H
#define IPC_MESSAGE_WORKER_H

/* ---- workers that check passwords ---- */

struct message_check_start {     /* answer: CHECK_ANSWER */
	struct str mechanism;
	struct str first;        /* PLAIN: the client's message; LOGIN: the user */
	struct str second;       /* LOGIN: the password */
	struct str hostname;
	struct str user;         /* canonical; the worker accepts no other one */
	struct str salt;         /* no key of the store is ever sent */
	uint32_t iterations;
};
/* enum auth_outcome.  OK means only that the key was derived: the broker checks whether it is the
 * right one. */
struct message_check_answer { uint8_t outcome; struct str key; };

/* ---- the worker of a back end (auth/auth_backend.h) ---- */

struct message_look_up { struct str name; }; /* canonical; answer: ACCOUNT */
struct message_account {
	uint8_t result;      /* enum auth_backend_result */
	struct str name;     /* that the result is about: perhaps completed by the domain */
	bool is_suspended;
	struct str secret;   /* FOUND, NONE: text of a scram_secret; else empty */
};
/* Which of these names have no account that may log in?  As AUTH_USERS_ASK. */
struct message_users_look_up { struct str users; }; /* answer: USERS_FOUND */
struct message_users_found {
	bool is_usable;      /* false: the back end cannot be used, and the lists are empty */
	struct str gone, unknown;
};
/* ACCOUNT_COMMAND is a struct message_admin; answer: ADMIN_ROWs and ACCOUNT_DONE */
struct message_account_done {
	uint8_t exit_code;
	struct str text;
	struct str target;   /* the name of the account that it was about; empty: there is none */
	bool was_suspended;  /* of user.suspend and user.resume: before the command */
};
/* Sent when it changes, before the answer to the request that changed it. */
struct message_backend_state {
	bool is_first;       /* of this process, on this channel */
	uint64_t changes;    /* what was read before the last change may be out of date */
	uint64_t exchanges;  /* how often the store was exchanged for another one */
	struct str store;    /* differs if it is another store; empty: not known */
	bool is_directory_gone;
	struct str trouble;  /* for `status`; empty: none */
};

#endif
