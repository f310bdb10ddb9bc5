/*
 * queued: the queued messages in memory: sender, recipients and their states.  Bodies and last
 * replies are only in the spool.  One allocation for each message: its deliveries, its recipients
 * and their texts.  A pointer to a message is valid until the message is removed.
 */
#ifndef QUEUE_QUEUED_H
#define QUEUE_QUEUED_H

#include <sys/queue.h>

#include "base/map.h"
#include "mail/envelope.h"
#include "queue/schedule/schedule.h"
#include "spool/spool.h"

struct queued_message;
struct dispatch_attempt;
struct report;

/* Bits of the queue in the stored state of a recipient. */
enum queued_mark {
	MARK_EXPIRED = 1 << 0,
	MARK_DELETED = 1 << 1,   /* by the operator */
	MARK_RELAYED = 1 << 2, /* the next hop took over the duties of RFC 3461 */
	MARK_WARNED = 1 << 3,    /* a delay report was sent */
	MARK_FINAL = 1 << 4,     /* the host delivered it to the mailbox (LMTP) */
};

struct queued_recipient {
	uint32_t at; /* of the address in text */
	uint16_t n;
	uint8_t outcome; /* enum spool_outcome */
	uint8_t marks;
	uint16_t delivery;
	uint8_t notify : 4;   /* enum envelope_notify */
	bool is_owed : 1;     /* it is settled when a report is stored */
	bool is_expected : 1; /* a result is due from relay */
};

/* The recipients of a message in one domain. */
struct delivery {
	struct sched_delivery sched; /* first: its address is that of the delivery */
	struct queued_message *message;
	struct dispatch_attempt *attempt; /* running */
	/* of an attempt that was given up and may still report; 0: none */
	uint64_t late_attempt_id;
	uint32_t domain_at;
	uint16_t domain_n;
	uint16_t open; /* recipients that are not settled and owe no report */
	uint16_t pauses; /* in a row: for schedule_backoff_ms */
	uint8_t unreadable; /* in a row: reads of the content that failed */
	uint8_t requeues; /* see struct lifetime_attempt */
	int64_t unanswered_ms; /* see lifetime_may_begin */
};

struct queued_message {
	TAILQ_ENTRY(queued_message) link;
	struct timer arrival; /* in queued.by_age */
	struct msgid id;
	int64_t arrival_ms;
	int64_t deliver_by_ms; /* the sender's own limit; 0: none */
	int64_t expires_ms;
	uint64_t bytes;
	struct queued_user *user;
	struct report *report; /* owed, or being made; or NULL */
	struct timer expiry;   /* in queue.expiries */
	struct timer warning;  /* when the delay report is due */
	struct delivery *deliveries;
	struct queued_recipient *recipients; /* number n is recipients[n - 1] */
	char *text;
	uint32_t recipient_count;
	uint16_t delivery_count;
	uint16_t sender_n; /* the sender is at the start of text */
	uint16_t open;     /* recipients not settled */
	uint16_t sent, failed, expired, deleted;
	uint16_t owed;     /* recipients with is_owed */
	uint32_t unstored; /* status updates that are being stored */
	bool is_warning_due;
	bool is_report;
	bool is_held;
	bool is_deleting; /* its deletion is being stored; no report begins */
	bool is_damaged; /* held because its body is damaged, and not by the operator */
	bool is_loss_unstored; /* its end is being stored (queue/lost_content.h) */
	bool is_envelope_too_large;  /* then its end cannot be stored */
	bool is_queued;
};

TAILQ_HEAD(queued_message_list, queued_message);

struct queued_user {
	struct str name;
	uint32_t references;
};

struct queued_messages {
	struct map *by_id;
	struct map *users;
	/* in order of arrival; after a start, as in the spool */
	struct queued_message_list messages;
	struct timers by_age; /* the oldest first */
	uint64_t bytes;
	size_t recipients; /* not settled */
	size_t held;
};

void queued_init(struct queued_messages *queued);
void queued_clear(struct queued_messages *queued);

/* Copies everything; the message is not queued yet. */
struct queued_message *queued_message_new(struct queued_messages *queued, const struct envelope *e,
    int64_t lifetime_ms, struct str hostname);
/* Counts from the arrival; afterwards the schedule must be informed. */
void queued_message_set_lifetime(struct queued_message *e, int64_t lifetime_ms);
void queued_message_free(struct queued_messages *queued, struct queued_message **e);
void queued_add(struct queued_messages *queued, struct queued_message *e);
/* Removes it from the queue and frees it. */
void queued_remove(struct queued_messages *queued, struct queued_message **e);
struct queued_message *queued_find(const struct queued_messages *queued, struct msgid id);

/* The operator holds it, or releases it. */
void queued_message_hold(struct queued_messages *queued, struct queued_message *e, bool is_held);
/* The arrival of the oldest message; INT64_MAX: there is none. */
int64_t queued_oldest_ms(const struct queued_messages *queued);

/* The recipient has ended and owes a report: it is not open any more, and not settled. */
void queued_recipient_owe_report(
    struct queued_message *e, uint32_t number, enum spool_outcome outcome, uint8_t marks);
/* A new outcome, final or temporary; updates all counters. */
void queued_recipient_set_outcome(struct queued_messages *queued, struct queued_message *e,
    uint32_t number, enum spool_outcome outcome, uint8_t marks);

/* What is known without its content, for messages that cannot be read; strings are the message's.
 */
void queued_message_envelope(
    const struct queued_message *e, struct arena *arena, struct envelope *out);
struct str queued_message_sender(const struct queued_message *e);
struct str queued_message_address(const struct queued_message *e, uint32_t number);
struct str delivery_domain(const struct delivery *delivery);

static inline struct queued_recipient *
queued_message_recipient(struct queued_message *e, uint32_t number)
{
	return number >= 1 && number <= e->recipient_count ? &e->recipients[number - 1] : NULL;
}

static inline bool
queued_recipient_is_open(const struct queued_recipient *recipient)
{
	return recipient->outcome == SPOOL_WAITING || recipient->outcome == SPOOL_DEFERRED;
}

/* Then it does not end; a message that is held because of damage does. */
static inline bool
queued_message_is_operator_held(const struct queued_message *e)
{
	return e->is_held && !e->is_damaged;
}

#endif
