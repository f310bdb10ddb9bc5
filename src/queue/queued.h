/*
 * queued: the queued messages in memory: sender, recipients and what became of each.  Bodies are
 * only in the spool.  One allocation for each message: its deliveries, its recipients and their
 * texts; senders are shared.  A pointer to a message is valid until the message is removed.
 */
#ifndef QUEUE_QUEUED_H
#define QUEUE_QUEUED_H

#include "base/id_table.h"
#include "base/map.h"
#include "mail/envelope.h"
#include "queue/delivery.h"
#include "spool/spool.h"

/* Bits of the queue in the stored state of a recipient. */
enum queued_mark {
	MARK_EXPIRED = 1 << 0,
	MARK_DELETED = 1 << 1,   /* by the operator */
	MARK_RELAYED = 1 << 2, /* the next hop took over the duties of RFC 3461 */
	MARK_WARNED = 1 << 3,    /* a delay report was sent */
	MARK_FINAL = 1 << 4,     /* the host delivered it to the mailbox (LMTP) */
};

/* Further updates of one message are stored, and not counted. */
enum { QUEUED_UNSTORED_BITS = 12, QUEUED_UNSTORED_MAX = (1 << QUEUED_UNSTORED_BITS) - 1 };

/* Further attempts of one recipient are made, and not counted for it. */
enum { QUEUED_ATTEMPTS_BITS = 18, QUEUED_ATTEMPTS_MAX = (1 << QUEUED_ATTEMPTS_BITS) - 1 };

struct queued_recipient {
	char *detail; /* as stored: two bytes of length, then the text; NULL: none */
	uint32_t at : QUEUED_TEXT_BITS; /* of the address; it ends where the next begins */
	uint32_t delivery : QUEUED_COUNT_BITS;
	uint32_t outcome : 2; /* enum spool_outcome */
	uint32_t attempts : QUEUED_ATTEMPTS_BITS; /* as stored: up to its last result */
	uint32_t notify : 4;   /* enum envelope_notify */
	bool is_owed : 1;     /* it is settled when a report is stored */
	bool is_expected : 1; /* a result is due from relay */
	uint8_t marks;
};

struct queued_user {
	struct str name;
	uint32_t references;
};

/* A sender of a user, of any number of messages. */
struct queued_sender {
	struct queued_user *user;
	struct str key;      /* the user's name, NUL, the address */
	uint32_t references;
};

struct queued_message {
	union {
		struct msgid id;
		struct {
			uint64_t session_of_id;
			uint32_t number_of_id;
			/* header and body; it uses the padding of the id, which is set once and
			 * before it */
			uint32_t bytes;
		};
	};
	struct queued_sender *sender;
	int64_t arrival_ms : 44;
	uint64_t open : QUEUED_COUNT_BITS;     /* recipients not settled */
	uint64_t owed : QUEUED_COUNT_BITS;     /* recipients with is_owed */
	uint64_t recipient_count : QUEUED_COUNT_BITS;
	uint64_t delivery_count : QUEUED_COUNT_BITS;
	uint64_t address_bytes : QUEUED_TEXT_BITS; /* of all recipients */
	uint64_t unstored : QUEUED_UNSTORED_BITS; /* status updates that are being stored */
	bool is_warning_due : 1;
	bool is_warning_done : 1; /* it was due, and is not again */
	bool is_report : 1;
	bool is_held : 1;
	bool is_deleting : 1; /* its deletion is being stored; no report begins */
	bool is_damaged : 1; /* held because its body is damaged, and not by the operator */
	bool is_loss_unstored : 1; /* its end is being stored (queue/lost_content.h) */
	bool is_envelope_too_large : 1;  /* then its end cannot be stored */
	bool is_queued : 1;
	bool has_report : 1; /* it owes one, or one is being made (queue/reports) */
	bool has_deliver_by : 1; /* the sender's own limit, after the texts */
	struct delivery deliveries[];
};

struct queued_messages {
	struct id_table messages; /* in order of arrival; after a start, as in the spool */
	/* they have ended, and a status of theirs is not stored yet: for queued_statuses */
	struct id_table ended;
	struct map *users;
	struct map *senders;
	const struct queued_message *oldest; /* by arrival; NULL: not known */
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
/* Removes it from the queue and frees it, or keeps it as ended until its statuses are stored. */
void queued_remove(struct queued_messages *queued, struct queued_message **e);
struct queued_message *queued_find(const struct queued_messages *queued, struct msgid id);
/* A status update of a message, ended or not, was stored, or is not needed. */
void queued_message_stored(struct queued_messages *queued, struct msgid id);

/* The operator holds it, or releases it. */
void queued_message_hold(struct queued_messages *queued, struct queued_message *e, bool is_held);
/* The arrival of the oldest message; INT64_MAX: there is none.  After the oldest one was removed
 * this looks at all messages once (5 ms for 100,000). */
int64_t queued_oldest_ms(struct queued_messages *queued);

/* The recipient has ended and owes a report: it is not open any more, and not settled. */
void queued_recipient_owe_report(
    struct queued_message *e, uint32_t number, enum spool_outcome outcome, uint8_t marks);
/* A new outcome, final or temporary; updates all counters. */
void queued_recipient_set_outcome(struct queued_messages *queued, struct queued_message *e,
    uint32_t number, enum spool_outcome outcome, uint8_t marks);
/* Its last attempt, as it is stored (queue/last_attempt.h); copied. */
void queued_recipient_set_detail(struct queued_recipient *recipient, struct str detail);
/* How many attempts it had up to its last result. */
void queued_recipient_set_attempts(struct queued_recipient *recipient, uint32_t attempts);
struct str queued_recipient_detail(const struct queued_recipient *recipient);

/* How many recipients have ended, and how. */
struct queued_ends {
	uint32_t sent, failed, expired, deleted;
};
struct queued_ends queued_message_ends(const struct queued_message *e);

/* What is known without its content, for messages that cannot be read; strings are the message's.
 */
void queued_message_envelope(
    const struct queued_message *e, struct arena *arena, struct envelope *out);
struct str queued_message_user(const struct queued_message *e);
struct str queued_message_sender(const struct queued_message *e);
struct str queued_message_address(const struct queued_message *e, uint32_t number);
struct str delivery_domain(const struct delivery *delivery);

/* Number n is [n - 1]. */
static inline struct queued_recipient *
queued_message_recipients(const struct queued_message *e)
{
	return (struct queued_recipient *)(uintptr_t)(e->deliveries + e->delivery_count);
}

static inline struct queued_recipient *
queued_message_recipient(struct queued_message *e, uint32_t number)
{
	return number >= 1 && number <= e->recipient_count
	    ? &queued_message_recipients(e)[number - 1] : NULL;
}

/* The delivery of a recipient. */
static inline struct delivery *
queued_message_delivery(const struct queued_message *e, uint32_t number)
{
	uint16_t place = queued_message_recipients(e)[number - 1].delivery;

	return (struct delivery *)(uintptr_t)&e->deliveries[place];
}

static inline struct queued_message *
delivery_message(const struct delivery *delivery)
{
	return (struct queued_message *)(uintptr_t)(delivery - delivery->place) - 1;
}

/* The same for all deliveries. */
static inline int64_t
queued_message_expires_ms(const struct queued_message *e)
{
	return e->deliveries[0].sched.expires_ms;
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
