/*
 * domains: domains, what is known of the site that serves each, and the parcels that wait to
 * know. For schedule.c.
 */
#ifndef QUEUE_DOMAINS_H
#define QUEUE_DOMAINS_H

#include "base/map.h"
#include "queue/destinations.h"
#include "queue/lookups.h"
#include "queue/schedule.h"

enum sched_domain_state {
	SCHED_DOMAIN_UNKNOWN,
	SCHED_DOMAIN_ASKED,
	SCHED_DOMAIN_KNOWN,
	SCHED_DOMAIN_DELAYED, /* a temporary failure: asked again when its timer ends */
	SCHED_DOMAIN_REFUSED,
};

struct sched_domain {
	struct timer timer;
	struct sched_lookup lookup; /* waits: UNKNOWN; open: ASKED */
	struct str name;
	struct sched_destination *site;           /* KNOWN */
	struct smtp_status *status;       /* DELAYED, REFUSED */
	struct sched_delivery *first, *last; /* ASKING */
	struct sched_domain *next;    /* in todo */
	int64_t found_ms;            /* the last failure */
	uint32_t references;         /* parcels that are not IDLE */
	uint32_t asking;             /* parcels from first to last */
	uint32_t failures;           /* in a row */
	uint8_t state;
	bool is_listed;
	bool has_news; /* DELAYED: one parcel has not been told yet */
};

struct sched_domains {
	struct map *by_name;
	struct sched_domain *todo, *todo_last; /* something is to be said about them */
	struct sched_lookups lookups;
	struct timers *timers;
	struct sched_destinations *sites;
	uint8_t timer_kind;
	size_t asking;
	size_t delayed; /* of asking: their domain is DELAYED */
};

void sched_domains_init(struct sched_domains *all, struct timers *timers,
    struct sched_destinations *sites, uint8_t timer_kind);
void sched_domains_clear(struct sched_domains *all);

/* Finds or makes it. */
struct sched_domain *sched_domains_get(struct sched_domains *all, struct str domain);
/* Into todo, once. */
void sched_domains_list(struct sched_domains *all, struct sched_domain *d);
void sched_domains_unlist_first(struct sched_domains *all);
/* It is to be looked up for its first parcel's user, in its turn. */
void sched_domains_look_up(struct sched_domains *all, struct sched_domain *d);
/* The next one to be looked up, ASKED now; NULL: none. */
struct sched_domain *sched_domains_next_lookup(struct sched_domains *all);
/* What is known of it is kept until its timer ends, used or not. */
void sched_domains_free_if_unused(struct sched_domains *all, struct sched_domain *d);
/* A temporary failure: DELAYED, and one parcel is to be told. */
void sched_domains_delay(struct sched_domains *all, struct sched_domain *d);
void sched_domains_forget_answer(struct sched_domains *all, struct sched_domain *d);
/* What is known is forgotten; asked for anew when a parcel waits to know. */
void sched_domains_ask(struct sched_domains *all, struct sched_domain *d);
/* Those that were asked for: the answers will not come. */
void sched_domains_ask_again(struct sched_domains *all);

/* A parcel waits to know its site. */
void sched_domains_push(struct sched_domains *all, struct sched_delivery *p);
void sched_domains_pull(struct sched_domains *all, struct sched_delivery *p);

#endif
