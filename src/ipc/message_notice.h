/*
 * message_notice: the messages about notices to the postmaster.  A part of ipc/message.h, which
 * alone includes it.
 */
#ifndef IPC_MESSAGE_NOTICE_H
#define IPC_MESSAGE_NOTICE_H

/* The kinds of events that main reports to the postmaster. */
enum notice_kind {
	NOTICE_CERTIFICATE, NOTICE_SPOOL, NOTICE_TROUBLE, NOTICE_PROCESS, NOTICE_RELOAD,
	NOTICE_MESSAGES, NOTICE_ACCESS, NOTICE_LIMIT, NOTICE_KINDS
};
/* object: identifies what the notice is about; text: one line; is_over: that this has ended */
struct message_alert { uint8_t kind; struct str object, text; bool is_over; };
/* A mail to the postmaster.  Answer: STATUS, 250 only when durable. */
struct message_notice {
	uint64_t notice;     /* its id; the same when it is sent again */
	struct str kind;     /* of the table in main: "certificate" */
	struct str subject;
	struct str text;     /* lines that end in \n; text from remote parties is indented */
};

#endif
