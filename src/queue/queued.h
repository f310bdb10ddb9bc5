/*
 * queued: what is queued, in memory: who, to whom, how far.  Bodies and last replies stay in the
 * spool. One allocation per message: the entry, its parcels, its recipients and their texts.
 */
#ifndef QUEUE_QUEUED_H
#define QUEUE_QUEUED_H

#include <sys/queue.h>

#include "base/map.h"
#include "mail/envelope.h"
#include "queue/schedule.h"
#include "spool/spool.h"

struct queued_message;
struct dispatch_attempt;
struct report;

/* The queue's own bits in a recipient's stored state. */
enum queued_mark {
	MARK_EXPIRED = 1 << 0,
	MARK_DELETED = 1 << 1,   /* by the operator */
	MARK_RELAYED = 1 << 2, /* the next hop took over the duties of RFC 3461 */
	MARK_WARNED = 1 << 3,    /* the sender was told that it waits */
	MARK_FINAL = 1 << 4,     /* delivered to its mailbox, not handed on (LMTP) */
};

struct queued_recipient {
	uint32_t at; /* of its address in text */
	uint16_t n;
	uint8_t outcome; /* enum spool_outcome */
	uint8_t marks;
	uint16_t shipment;
	uint8_t notify : 4;   /* enum envelope_notify */
	bool is_owed : 1;     /* it came to its end, and a report about that is owed */
	bool is_expected : 1; /* a result is due from relay */
};

/* Its recipients in one domain. */
struct delivery {
	struct sched_delivery parcel; /* first: a parcel is a shipment */
	struct queued_message *entry;
	struct dispatch_attempt *job; /* running */
	uint64_t late_job; /* given up, with results still open; 0: none */
	uint32_t domain_at;
	uint16_t domain_n;
	uint16_t open; /* recipients that have not come to their end */
	uint16_t pauses; /* how many in a row: for schedule_backoff_ms */
	uint8_t unreadable; /* times in a row that the content could not be read */
	uint8_t put_backs; /* see struct lifetime_attempt */
	int64_t unanswered_ms; /* see lifetime_may_begin */
};

struct queued_message {
	TAILQ_ENTRY(queued_message) link;
	struct timer arrival; /* in book.by_age */
	struct msgid id;
	int64_t arrival_ms;
	int64_t deliver_by_ms; /* the sender's own limit; 0: none */
	int64_t expires_ms;
	uint64_t bytes;
	struct queued_user *user;
	struct report *report; /* owed, or being made; or NULL */
	struct timer expiry;   /* in queue.expiries */
	struct timer warning;  /* when the sender is to be told that it waits */
	struct delivery *shipments;
	struct queued_recipient *addressees; /* number n is addressees[n - 1] */
	char *text;
	uint32_t addressee_count;
	uint16_t shipment_count;
	uint16_t sender_n; /* the sender stands at the start of text */
	uint16_t open;     /* recipients not settled */
	uint16_t sent, failed, expired, deleted;
	uint16_t owed;     /* recipients with is_owed */
	uint32_t unstored; /* records of recipients on their way into the spool */
	bool is_warning_due;
	bool is_report;
	bool is_held;
	bool is_deleting; /* that is on its way into the spool: no report begins */
	bool is_damaged; /* held because its body is damaged, and not by the operator */
	bool is_being_lost; /* its end is on its way into the spool (queue/lost_content.h) */
	bool is_unlosable;  /* its envelope is too large for that */
	bool is_booked;
};

TAILQ_HEAD(queued_message_list, queued_message);

struct queued_user {
	struct str name;
	uint32_t references;
};

struct queued_messages {
	struct map *by_id;
	struct map *users;
	struct queued_message_list entries; /* as they came; after a start, as the spool has them */
	struct timers by_age; /* the oldest first */
	uint64_t bytes;
	size_t recipients; /* not settled */
	size_t held;
};

void queued_init(struct queued_messages *b);
void queued_clear(struct queued_messages *b);

/* Everything is copied; not yet in the book. */
struct queued_message *queued_message_new(
    struct queued_messages *b, const struct envelope *e, int64_t lifetime_ms, struct str hostname);
/* Counted from its arrival, whatever was said before; what is in the schedule is to be told. */
void queued_message_set_lifetime(struct queued_message *e, int64_t lifetime_ms);
void queued_message_free(struct queued_messages *b, struct queued_message **e);
void queued_add(struct queued_messages *b, struct queued_message *e);
/* Out of the book, and freed. */
void queued_remove(struct queued_messages *b, struct queued_message **e);
struct queued_message *queued_find(const struct queued_messages *b, struct msgid id);

/* The operator holds it, or releases it. */
void queued_message_hold(struct queued_messages *b, struct queued_message *e, bool is_held);
/* When the oldest one came; INT64_MAX: there is none. */
int64_t queued_oldest_ms(const struct queued_messages *b);

/* A recipient's end, about which a report is owed: it is not open any more, nor settled. */
void queued_recipient_owe_report(
    struct queued_message *e, uint32_t number, enum spool_outcome outcome, uint8_t marks);
/* A recipient's end or a step on the way; keeps all counts. */
void queued_recipient_set_outcome(struct queued_messages *b, struct queued_message *e,
    uint32_t number, enum spool_outcome outcome, uint8_t marks);

/* What the book still knows of it, for when it cannot be read; strings are the entry's. */
void queued_message_envelope(
    const struct queued_message *e, struct arena *arena, struct envelope *out);
struct str queued_message_sender(const struct queued_message *e);
struct str queued_message_address(const struct queued_message *e, uint32_t number);
struct str delivery_domain(const struct delivery *s);

static inline struct queued_recipient *
queued_message_recipient(struct queued_message *e, uint32_t number)
{
	return number >= 1 && number <= e->addressee_count ? &e->addressees[number - 1] : NULL;
}

static inline bool
queued_recipient_is_open(const struct queued_recipient *a)
{
	return a->outcome == SPOOL_WAITING || a->outcome == SPOOL_DEFERRED;
}

/* Then it does not end; what is held because it is damaged does. */
static inline bool
queued_message_is_operator_held(const struct queued_message *e)
{
	return e->is_held && !e->is_damaged;
}

#endif
