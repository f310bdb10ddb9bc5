/*
 * attempt_internal: one job as the few files that carry it out see it.
 */
#ifndef RELAY_ATTEMPT_INTERNAL_H
#define RELAY_ATTEMPT_INTERNAL_H

#include <event2/event_struct.h>

#include "relay/attempt.h"
#include "relay/body_reader.h"
#include "relay/host_iterator.h"

struct job {
	LIST_ENTRY(job) link;
	struct yard *yard;
	struct arena arena;
	struct message_deliver m; /* strings in the arena */
	struct envelope envelope;
	struct outgoing out;
	uint32_t *numbers; /* those that are undecided */
	struct body body;
	int64_t began_ms;
	bool is_fresh; /* idle connections are not tried again */
	bool is_looking; /* at the content: what it needs of a host is not known yet */
	bool is_sending;
	bool was_ready; /* MAIL could be said to a host */
	bool is_recalled; /* the operator wants no more of it: as is_late */
	bool is_late; /* the time for an attempt is over: no other host is tried */
	struct event deadline;
	struct event next_look; /* at the content, a block in each turn of the loop */
	struct finder_ask *ask;
	struct resolver_query *query;
	struct found *found;
	struct visit *session;
	struct delivery delivery;
};

/* One recipient's result, kept until the queue has stored it. */
void job_tell(struct job *j, uint32_t number, const struct client_result *r, bool is_last);
/* All that are left share one fate; the job is gone. */
void job_finish(struct job *j, const struct status *s, const char *reason);
/* Lets go of all that it asked for and holds. */
void job_drop(struct job *j);
/* timeouts.attempt begins anew. */
void job_begin_attempt(struct job *j);
/* The first step; the job may be gone afterwards. */
void job_find_site(struct job *j);

#endif
