/*
 * questions: which messages expect an answer, which one, and how long it may take.  The one place
 * for such deadlines (see ipc/request.h).
 */
#ifndef IPC_QUESTIONS_H
#define IPC_QUESTIONS_H

#include "ipc/message.h"

struct message_question {
	enum message_type answer;
	int deadline_ms;     /* what waits before it at the other side must fit in */
	int quick_ms;        /* when it is asked quickly: see request_quick; 0: never */
	int steps;           /* and so many times auth.step_timeout */
	bool has_rows;       /* ADMIN_ROWs come before the answer */
	bool has_descriptor; /* comes with the answer */
	bool has_row_descriptors; /* may come with a row */
};

enum {
	MESSAGE_SIGN_MS = 2000,     /* SIGN and KEY_ASK */
	MESSAGE_AUTH_MS = 15000,    /* beside the steps: the delay of a refusal (10 s at most) */
	MESSAGE_USERS_MS = 15000,
	MESSAGE_LEASE_MS = 15000, /* LEASE_ASK and SPOOL_FILE */
	MESSAGE_COMMIT_MS = 120000, /* until the message, or a NOTICE, is durable */
	MESSAGE_DESTINATION_MS = 45000,    /* two questions to DNS, one after the other */
	MESSAGE_RUNNING_MS = 30000,
	/* The tool waits longer than control, so that it hears from it who did not answer. */
	MESSAGE_ADMIN_MS = 60000,
	MESSAGE_COMMAND_MS = 75000,
	MESSAGE_ADMIN_QUICK_MS = 4000,
	MESSAGE_COMMAND_QUICK_MS = 5000,
};

/* Bytes of rows that may be under way before their reader takes them, see queue/admin_flow.h. */
enum { MESSAGE_ROWS_WINDOW = 256 << 10 };

/* NULL: no answer belongs to it. */
const struct message_question *message_question(enum message_type type);
/* Is this verb of an ADMIN asked quickly?  `status` must answer while a process hangs. */
bool message_is_quick(struct str verb);

#endif
