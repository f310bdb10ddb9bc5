/*
 * schedule: what is tried next (pure: the clock is passed in, nothing is read, sent or stored).  A
 * parcel is one message's recipients in one domain.  Relay answers by which site a domain is
 * served; sites take turns, within a site its users take turns, and a site that cannot be reached
 * is probed with one parcel at growing intervals before it is opened up again.  The pause ends
 * earlier at the end of the life of a parcel that waits: it is the probe then, and what is found
 * counts for all whose life ended by then or ends soon after.  Who may have how many of the slots
 * stands in destinations.h: sites that have not answered get one each and half of all together, and
 * no user gets all.  Every act costs, on average over many, at most the logarithm of what is
 * queued.
 */
#ifndef QUEUE_SCHEDULE_H
#define QUEUE_SCHEDULE_H

#include "base/str.h"
#include "mail/smtp_status.h"
#include "queue/timers.h"

struct schedule;
struct sched_domain;
struct user_queue;
struct sched_share;
struct sched_destination;

enum sched_delivery_state {
	DELIVERY_IDLE,    /* not in the schedule (held, new, or handed out for good) */
	DELIVERY_WAITING, /* until due_ms */
	DELIVERY_ASKING,  /* due; its domain's site is not known yet */
	DELIVERY_READY,   /* due; in its site's line */
	DELIVERY_RUNNING, /* handed out with SCHEDULE_DELIVER */
};

/* Embedded in the owner's struct, zeroed before the first use. */
struct sched_delivery {
	struct timer timer;
	struct sched_delivery *next, *previous;
	struct sched_domain *destination;
	struct user_queue *lane;
	struct sched_share *share; /* RUNNING */
	struct sched_destination *site;
	const void *user; /* equal for equal users: who takes turns */
	int64_t due_ms;
	int64_t expires_ms;
	int64_t since_ms; /* when it was added for the first time */
	uint16_t tries;   /* the owner's count: attempts that came as far as a connection */
	uint8_t state;    /* enum sched_delivery_state; only schedule writes it */
};

struct schedule_limits {
	uint32_t concurrency;      /* parcels running in all */
	uint32_t site_concurrency; /* and at one site */
	const int64_t *retry_ms;   /* the last repeats */
	size_t retry_count;
};

enum { SCHEDULE_PAUSE_MAX_MS = 15 * 60 * 1000, SCHEDULE_WINDOW_START = 5 };

struct schedule *schedule_new(const struct schedule_limits *limits);
/* Parcels are the owner's; they are forgotten. */
void schedule_free(struct schedule **s);
/* limits->retry_ms must outlive its use. */
void schedule_configure(struct schedule *s, const struct schedule_limits *limits);

/* due_ms, expires_ms and user are set.  An IDLE parcel goes WAITING, or on when it is due. */
void schedule_add(struct schedule *s, struct sched_delivery *p, struct str domain, int64_t now_ms);
/* From any state to IDLE; a running one is not counted any more. */
void schedule_remove(struct schedule *s, struct sched_delivery *p);
/* expires_ms was changed.  One that would have waited longer is tried when it expires, or now. */
void schedule_expiry_changed(struct schedule *s, struct sched_delivery *p, int64_t now_ms);
/* The operator wants it tried now: its site's pause and its domain's failure are forgotten too. */
void schedule_retry_now(struct schedule *s, struct sched_delivery *p, int64_t now_ms);
/* Does that change anything?  Not for one that is not in the schedule, or with relay. */
bool schedule_may_retry_now(const struct sched_delivery *p);

enum schedule_act {
	SCHEDULE_NOTHING, /* until schedule_wake_ms, or something is told */
	SCHEDULE_RESOLVE,     /* ask relay for the domain's site */
	SCHEDULE_DELIVER, /* parcel is RUNNING now; hand it to relay */
	SCHEDULE_REFUSE,  /* parcel is IDLE now; its domain's permanent failure is in status */
	SCHEDULE_DEFER, /* the same with a temporary failure; one parcel speaks for all that wait */
	SCHEDULE_EXPIRE, /* parcel is IDLE now; out of time while its site was away; status may be
	                    NULL */
};

struct schedule_step {
	enum schedule_act act;
	struct sched_delivery *parcel;
	struct str domain; /* valid until the next call */
	struct str site;
	const struct smtp_status *status;
	int64_t found_ms; /* when status was found out; 0: unknown */
};

void schedule_next(struct schedule *s, int64_t now_ms, struct schedule_step *out);
/* When schedule_next may have something by time alone; INT64_MAX: never. */
int64_t schedule_wake_ms(const struct schedule *s);

struct schedule_answer {
	struct str site; /* empty: the domain failed, as status says */
	const struct smtp_status *status;
	uint32_t ttl_s;
};
/* Relay's answer. */
void schedule_answered(
    struct schedule *s, struct str domain, const struct schedule_answer *answer, int64_t now_ms);

enum schedule_outcome {
	SCHEDULE_REACHED, /* the site answered, whatever it said */
	SCHEDULE_UNREACHABLE,    /* it could not be reached, or no session came as far as MAIL */
	SCHEDULE_BUSY,    /* it answered 421 later: it has one slot; the second time it is away */
	SCHEDULE_SILENT,  /* it fell silent after MAIL: it has one slot */
	SCHEDULE_UNKNOWN,    /* nothing is known (relay died) */
};
/* RUNNING -> IDLE.  status: what to tell of a site that is away; may be NULL. */
void schedule_finished(struct schedule *s, struct sched_delivery *p, enum schedule_outcome outcome,
    const struct smtp_status *status, int64_t now_ms);
/* IDLE -> RUNNING at this site: relay says it is at it already. */
void schedule_running(
    struct schedule *s, struct sched_delivery *p, struct str domain, struct str site);
/* Relay is another one: what was asked is asked again. */
void schedule_relay_lost(struct schedule *s);

/* The pause after the n-th (from 1) failure. */
int64_t schedule_backoff_ms(const struct schedule *s, unsigned failures);

struct schedule_info {
	struct str domain, site; /* site may be empty */
	int64_t next_ms;         /* when it can be tried; 0: now */
	const struct smtp_status
	    *status; /* of the domain or the site, when that is why it waits; or NULL */
	int64_t found_ms; /* when that was found out */
};
void schedule_explain(
    const struct schedule *s, const struct sched_delivery *p, struct schedule_info *out);

struct schedule_totals {
	size_t waiting, asking, ready, running, sites, destinations;
	size_t running_unproven; /* of running: at sites that are not proven */
	size_t delayed;          /* of asking and ready: their domain or site is away */
};
void schedule_count(const struct schedule *s, struct schedule_totals *out);

#endif
