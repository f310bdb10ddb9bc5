/*
 * questions: which messages expect an answer, of which type, and their deadlines.  No other file
 * has such deadlines (see ipc/requests.h).
 */
#ifndef IPC_QUESTIONS_H
#define IPC_QUESTIONS_H

#include "ipc/message.h"

struct message_question {
	enum message_type answer;
	int deadline_ms;     /* includes the work that waits before it in the other role */
	int quick_ms;        /* for a quick request: see request_quick; 0: never */
	int steps;           /* plus this many times auth.step_timeout */
	bool has_rows;       /* ADMIN_ROWs may come before the answer */
	bool has_descriptor; /* the answer has a descriptor */
	bool has_row_descriptors; /* a row may have one */
};

enum {
	MESSAGE_SIGN_MS = 2000,     /* SIGN and KEY_ASK */
	/* in addition to the steps: the delay of a refusal (10 s at most) */
	MESSAGE_AUTH_MS = 15000,
	MESSAGE_USERS_MS = 15000,
	MESSAGE_LEASE_MS = 15000, /* LEASE_ASK and SPOOL_FILE */
	MESSAGE_COMMIT_MS = 120000, /* until the message, or a NOTICE, is durable */
	MESSAGE_DESTINATION_MS = 45000,    /* two DNS queries in sequence */
	MESSAGE_RUNNING_MS = 30000,
	/* The tool waits longer than control, so that control can report which role did not
	 * answer. */
	MESSAGE_ADMIN_MS = 60000,
	MESSAGE_COMMAND_MS = 75000,
	MESSAGE_ADMIN_QUICK_MS = 4000,
	MESSAGE_COMMAND_QUICK_MS = 5000,
};

/* Bytes of rows that may be sent before their reader takes them, see queue/admin/admin_flow.h. */
enum { MESSAGE_ROWS_WINDOW = 256 << 10 };

/* The row of a type; NULL: it expects no answer. */
const struct message_question *message_question(enum message_type type);

#endif
