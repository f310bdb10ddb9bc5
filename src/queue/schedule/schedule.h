/*
 * schedule: which delivery is tried next (pure: the time is passed in; nothing is read, sent or
 * stored).  A delivery is the recipients of one message in one domain.  The owner says its
 * next hop, and relay answers which destination (the hosts) serves that.  Destinations take turns,
 * and the users of a destination take turns. A destination that cannot be reached is probed with
 * one delivery at growing intervals before it may have more.  Its pause ends earlier when a
 * delivery that waits expires: that delivery is the probe then, and its result counts for all that
 * have expired or expire soon after. destinations.h has the rule for slots: destinations that have
 * not answered get one each and half of all together, and no user gets all.  Every step costs, on
 * average over many, at most the logarithm of what is queued.
 */
#ifndef QUEUE_SCHEDULE_SCHEDULE_H
#define QUEUE_SCHEDULE_SCHEDULE_H

#include "base/str.h"
#include "mail/smtp_status.h"
#include "queue/schedule/sched_delivery.h"

struct schedule;

struct schedule_limits {
	uint32_t concurrency;      /* deliveries running in all */
	uint32_t destination_concurrency; /* at one destination */
	const int64_t *retry_ms;   /* the last one repeats */
	size_t retry_count;
};

enum { SCHEDULE_PAUSE_MAX_MS = 15 * 60 * 1000 };

struct schedule *schedule_new(const struct schedule_limits *limits);
/* The deliveries belong to the owner; they are not freed. */
void schedule_free(struct schedule **s);
/* limits->retry_ms must outlive its use. */
void schedule_configure(struct schedule *s, const struct schedule_limits *limits);

/* due_ms, expires_ms and user are set.  An IDLE delivery becomes WAITING, or more when it is due.
 */
void schedule_add(
    struct schedule *s, struct sched_delivery *p, struct str next_hop, int64_t now_ms);
/* From any state to IDLE; a running delivery is not counted any more. */
void schedule_remove(struct schedule *s, struct sched_delivery *p);
/* A delivery that waits gets another next hop; one that is IDLE or RUNNING is not changed. */
void schedule_redirect(
    struct schedule *s, struct sched_delivery *p, struct str next_hop, int64_t now_ms);
/* Not for a delivery that is IDLE. */
bool schedule_is_to(const struct sched_delivery *p, struct str next_hop);
/* expires_ms was changed.  A delivery that would have waited longer is tried when it expires, or
 * now. */
void schedule_expiry_changed(struct schedule *s, struct sched_delivery *p, int64_t now_ms);
/* For the operator: the pause of its destination and the failure of its next hop end too. */
void schedule_retry_now(struct schedule *s, struct sched_delivery *p, int64_t now_ms);
/* Does schedule_retry_now change anything?  Not for a delivery that is IDLE or RUNNING. */
bool schedule_may_retry_now(const struct sched_delivery *p);

enum schedule_act {
	SCHEDULE_NOTHING, /* until schedule_wake_ms, or until the schedule is changed */
	SCHEDULE_RESOLVE, /* query relay for the destination of the next hop */
	SCHEDULE_DELIVER, /* the delivery is RUNNING now: hand it to relay */
	SCHEDULE_REFUSE,  /* the delivery is IDLE now; status: the next hop's permanent failure */
	SCHEDULE_DEFER,   /* IDLE; a temporary failure, returned for one of those that wait */
	SCHEDULE_EXPIRE,  /* IDLE; it expired while its destination was unreachable; status may be
	                     NULL */
};

struct schedule_step {
	enum schedule_act act;
	struct sched_delivery *delivery;
	struct str next_hop; /* valid until the next call */
	struct str destination;
	const struct smtp_status *status;
	int64_t found_ms; /* when status was found out; 0: unknown */
};

void schedule_next(struct schedule *s, int64_t now_ms, struct schedule_step *out);
/* When schedule_next may have a step because of the time; INT64_MAX: never. */
int64_t schedule_wake_ms(const struct schedule *s);

struct schedule_answer {
	struct str destination; /* empty: the next hop failed with status */
	const struct smtp_status *status;
	uint32_t ttl_s;
};
/* The answer of relay. */
void schedule_answered(
    struct schedule *s, struct str next_hop, const struct schedule_answer *answer, int64_t now_ms);

enum schedule_outcome {
	SCHEDULE_REACHED, /* the destination answered, with any status */
	SCHEDULE_UNREACHABLE,    /* it could not be reached, or no session came as far as MAIL */
	SCHEDULE_BUSY,    /* it answered 421 later: one slot; the second time it is unreachable */
	SCHEDULE_SILENT,  /* it stopped answering after MAIL: one slot */
	SCHEDULE_UNKNOWN,    /* nothing is known (relay is lost) */
};
/* RUNNING -> IDLE. status: of an unreachable destination; may be NULL. */
void schedule_finished(struct schedule *s, struct sched_delivery *p, enum schedule_outcome outcome,
    const struct smtp_status *status, int64_t now_ms);
/* IDLE -> RUNNING at this destination: relay reports that the attempt is running already. */
void schedule_running(
    struct schedule *s, struct sched_delivery *p, struct str next_hop, struct str destination);
/* Another relay process: all queries are repeated. */
void schedule_relay_lost(struct schedule *s);

/* The pause after the n-th (from 1) failure. */
int64_t schedule_backoff_ms(const struct schedule *s, unsigned failures);

struct schedule_info {
	struct str next_hop, destination; /* destination may be empty */
	int64_t next_ms;         /* when it can be tried; 0: now */
	/* why it waits: of the next hop or the destination; or NULL */
	const struct smtp_status *status;
	int64_t found_ms; /* of status */
};
void schedule_explain(
    const struct schedule *s, const struct sched_delivery *p, struct schedule_info *out);

struct schedule_totals {
	size_t waiting, asking, ready, running, destinations, next_hops;
	size_t running_unproven; /* of running: at unproven destinations */
	size_t delayed; /* of asking and ready: the next hop failed or the destination is paused */
};
void schedule_count(const struct schedule *s, struct schedule_totals *out);

#endif
