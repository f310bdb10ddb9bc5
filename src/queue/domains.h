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

enum destination_state {
	DESTINATION_UNKNOWN,
	DESTINATION_ASKED,
	DESTINATION_KNOWN,
	DESTINATION_DELAYED, /* a temporary failure: asked again when its timer ends */
	DESTINATION_REFUSED,
};

struct destination {
	struct timer timer;
	struct lookup lookup; /* waits: UNKNOWN; open: ASKED */
	struct str name;
	struct site *site;           /* KNOWN */
	struct status *status;       /* DELAYED, REFUSED */
	struct parcel *first, *last; /* ASKING */
	struct destination *next;    /* in todo */
	int64_t found_ms;            /* the last failure */
	uint32_t references;         /* parcels that are not IDLE */
	uint32_t asking;             /* parcels from first to last */
	uint32_t failures;           /* in a row */
	uint8_t state;
	bool is_listed;
	bool has_news; /* DELAYED: one parcel has not been told yet */
};

struct destinations {
	struct map *by_name;
	struct destination *todo, *todo_last; /* something is to be said about them */
	struct lookups lookups;
	struct timers *timers;
	struct sites *sites;
	uint8_t timer_kind;
	size_t asking;
	size_t delayed; /* of asking: their domain is DELAYED */
};

void destinations_init(
    struct destinations *all, struct timers *timers, struct sites *sites, uint8_t timer_kind);
void destinations_clear(struct destinations *all);

/* Finds or makes it. */
struct destination *destinations_get(struct destinations *all, struct str domain);
/* Into todo, once. */
void destinations_list(struct destinations *all, struct destination *d);
void destinations_unlist_first(struct destinations *all);
/* It is to be looked up for its first parcel's user, in its turn. */
void destinations_look_up(struct destinations *all, struct destination *d);
/* The next one to be looked up, ASKED now; NULL: none. */
struct destination *destinations_next_lookup(struct destinations *all);
/* What is known of it is kept until its timer ends, used or not. */
void destinations_free_if_unused(struct destinations *all, struct destination *d);
/* A temporary failure: DELAYED, and one parcel is to be told. */
void destinations_delay(struct destinations *all, struct destination *d);
void destinations_forget_answer(struct destinations *all, struct destination *d);
/* What is known is forgotten; asked for anew when a parcel waits to know. */
void destinations_ask(struct destinations *all, struct destination *d);
/* Those that were asked for: the answers will not come. */
void destinations_ask_again(struct destinations *all);

/* A parcel waits to know its site. */
void destinations_push(struct destinations *all, struct parcel *p);
void destinations_pull(struct destinations *all, struct parcel *p);

#endif
