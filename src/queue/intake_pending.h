/*
 * intake_pending: a message on its way into the spool.  intake makes it and frees it when the spool
 * has stored the message or refused it; suspended_holds decides whether the message is held then.
 */
#ifndef QUEUE_INTAKE_PENDING_H
#define QUEUE_INTAKE_PENDING_H

#include "queue/queue_internal.h"

struct intake_pending {
	LIST_ENTRY(intake_pending) link;
	struct queue *queue;
	struct queue_peer *peer; /* NULL: its channel is lost */
	uint64_t call;
	struct queued_message *message;
	/* has ended the hold with which the message is being stored, and waits for it; or NULL */
	struct admin_command *release;
	struct str header_from;
	struct str message_id;
};

#endif
