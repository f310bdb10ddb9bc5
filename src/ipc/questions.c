/*
 * questions: one constant table, with an entry for each message that is a question. What the other
 * side does before it answers must fit into the deadline, so a deadline here is longer than those
 * of the questions on which the answer depends. requests.c adds the time of the steps.
 */
#include "ipc/questions.h"

static const struct message_question asks[MESSAGE_TYPES] = {
    [MESSAGE_SIGN] = {.answer = MESSAGE_SIGNED, .deadline_ms = MESSAGE_SIGN_MS},
    [MESSAGE_KEY_ASK] = {.answer = MESSAGE_KEY, .deadline_ms = MESSAGE_SIGN_MS},
    /* a look-up and a check, and each may wait for a worker and then for its own end */
    [MESSAGE_AUTH_START] = {MESSAGE_AUTH_ANSWER, MESSAGE_AUTH_MS, .steps = 4},
    [MESSAGE_AUTH_STEP] = {MESSAGE_AUTH_ANSWER, MESSAGE_AUTH_MS, .steps = 4},
    [MESSAGE_AUTH_USERS_ASK] = {.answer = MESSAGE_AUTH_USERS, .deadline_ms = MESSAGE_USERS_MS},
    [MESSAGE_CHECK_START] = {MESSAGE_CHECK_ANSWER, 0, .steps = 1},
    [MESSAGE_LOOK_UP] = {MESSAGE_ACCOUNT, 0, .steps = 1},
    [MESSAGE_USERS_LOOK_UP] = {MESSAGE_USERS_FOUND, 0, .steps = 1},
    [MESSAGE_ACCOUNT_COMMAND] = {MESSAGE_ACCOUNT_DONE, 0, .steps = 1, .has_rows = true},
    [MESSAGE_LEASE_ASK] = {.answer = MESSAGE_LEASE, .deadline_ms = MESSAGE_LEASE_MS},
    [MESSAGE_SPOOL_FILE] = {MESSAGE_STATUS, MESSAGE_LEASE_MS, .has_descriptor = true},
    [MESSAGE_COMMIT] = {.answer = MESSAGE_STATUS, .deadline_ms = MESSAGE_COMMIT_MS},
    [MESSAGE_NOTICE] = {.answer = MESSAGE_STATUS, .deadline_ms = MESSAGE_COMMIT_MS},
    [MESSAGE_DESTINATION_ASK] = {.answer = MESSAGE_DESTINATION,
	.deadline_ms = MESSAGE_DESTINATION_MS},
    [MESSAGE_RUNNING_ASK] = {.answer = MESSAGE_CAUGHT_UP, .deadline_ms = MESSAGE_RUNNING_MS},
    [MESSAGE_COMMAND] = {MESSAGE_ADMIN_DONE, MESSAGE_COMMAND_MS, MESSAGE_COMMAND_QUICK_MS,
	.has_rows = true, .has_row_descriptors = true},
    [MESSAGE_ADMIN] = {MESSAGE_ADMIN_DONE, MESSAGE_ADMIN_MS, MESSAGE_ADMIN_QUICK_MS,
	.has_rows = true, .has_row_descriptors = true},
};

const struct message_question *
message_question(enum message_type type)
{
	return type < MESSAGE_TYPES && asks[type].answer ? &asks[type] : NULL;
}
