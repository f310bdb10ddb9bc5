/*
 * message_operator: the messages by which a command of the operator goes from the tool to the role
 * that answers it, and its rows back.  A part of ipc/message.h.
 */
#ifndef IPC_MESSAGE_OPERATOR_H
#define IPC_MESSAGE_OPERATOR_H

/* Answer: ADMIN_ROWs and ADMIN_DONE.  Values are keyed lists: "key\0value\0key\0value\0".  The
 * tool says COMMAND to control, which finds out who asks, and says ADMIN to the owner. */
/* by: "root"; claim: who the person is by the tool's word, MESSAGE_CLAIMED_NAME_MAX of it count */
struct message_admin { struct str verb, values, by, claim; };
struct message_admin_row { struct str values; };
struct message_admin_done { uint8_t exit_code; struct str text; };
/* control -> queue, with the ADMIN's number, see queue/admin_flow.h; is_gone: nobody reads any
 * more. */
struct message_admin_taken { uint32_t bytes; bool is_gone; };

#endif
