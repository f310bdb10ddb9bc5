/*
 * message_notice: what main and the roles say of notices to the postmaster; a part of
 * ipc/message.h, which alone includes it.
 */
#ifndef IPC_MESSAGE_NOTICE_H
#define IPC_MESSAGE_NOTICE_H

/* What an administrator should know of, for main to tell the postmaster. */
enum notice_kind {
	NOTICE_CERTIFICATE, NOTICE_SPOOL, NOTICE_TROUBLE, NOTICE_PROCESS, NOTICE_RELOAD,
	NOTICE_MESSAGES, NOTICE_ACCESS, NOTICE_LIMIT, NOTICE_KINDS
};
/* object: what it is about, by which one is known from another; text: one line */
struct message_alert { uint8_t kind; struct str object, text; };
/* A mail to the postmaster.  answer: STATUS, 250 only when durable */
struct message_notice {
	uint64_t notice;     /* its id; the same when it is asked again */
	struct str kind;     /* of main's table: "certificate" */
	struct str subject;
	struct str text;     /* lines that end in \n; those of strangers' words are indented */
};

#endif
