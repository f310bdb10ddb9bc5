/*
 * message_operator: the messages that carry an operator's command from the tool to the role that
 * executes it, and the rows of the answer back.  A part of ipc/message.h.
 */
#ifndef IPC_MESSAGE_OPERATOR_H
#define IPC_MESSAGE_OPERATOR_H

/* Answer: ADMIN_ROWs and ADMIN_DONE.  Values are keyed lists: "key\0value\0key\0value\0".  The tool
 * sends COMMAND to control, which determines the user of the tool and sends ADMIN to the role. */
/* by: "root"; claimed_name: of the person, as the tool reports it; at most MESSAGE_CLAIMED_NAME_MAX
 * are used */
struct message_admin { struct str verb, values, by, claimed_name; };
struct message_admin_row { struct str values; };
struct message_admin_done { uint8_t exit_code; struct str text; };
/* control -> queue, with the number of the ADMIN, see queue/admin/admin_flow.h; is_gone: the reader
 * of the answer has closed. */
struct message_admin_taken { uint32_t bytes; bool is_gone; };

/* The reason of a hold by `user suspend --hold`; it may go on after a colon. */
#define MESSAGE_SUSPENSION_REASON "user suspended"

#endif
