/*
 * requests: a table finds a request by its number.  The list of its type, whose deadlines are all
 * equal, has it in order of sending, so the first of a list expires first.  One timer serves the
 * channel; an answer does not change it.
 */
#include "ipc/requests.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum { SLOTS_FIRST = 16, STEP_TIMEOUT_MS = 20000, REQUESTS_LOSE_ROUNDS = 1000 };

/* ---- the table ---- */

static struct request **
request_slot(const struct requests *all, uint64_t number)
{
	return &all->slots[number & (all->slot_count - 1)];
}

/* Numbers increase, so open requests are spread evenly over the slots. */
static void
requests_grow(struct requests *all)
{
	struct request **before = all->slots, *r;
	size_t count = all->slot_count;

	all->slot_count = count ? count * 2 : SLOTS_FIRST;
	all->slots = mem_new(all->slot_count * sizeof *all->slots);
	for (size_t i = 0; i < count; i++)
		while ((r = before[i])) {
			struct request **place = request_slot(all, r->number);

			before[i] = r->next;
			r->next = *place;
			*place = r;
		}
	mem_free(before);
}

static struct request *
requests_find(const struct requests *all, uint64_t number)
{
	struct request *r = all->slot_count ? *request_slot(all, number) : NULL;

	while (r && r->number != number)
		r = r->next;
	return r;
}

static void
requests_remove(struct requests *all, struct request *r)
{
	struct request **at = request_slot(all, r->number);

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	all->count--;
}

/* ---- deadlines ---- */

static void
requests_arm(struct requests *all, int64_t at_ms, int64_t now_ms)
{
	int64_t wait_ms = at_ms > now_ms ? at_ms - now_ms : 0;
	struct timeval tv;

	if (at_ms >= all->timer_ms)
		return;
	all->timer_ms = at_ms;
	tv = (struct timeval){.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};
	evtimer_add(all->timer, &tv);
}

static int64_t
request_timeout_ms(const struct requests *all, const struct request *r)
{
	const struct message_question *ask = message_question((enum message_type)r->type);

	if (r->is_quick && ask->quick_ms)
		return clock_timeout_ms(ask->quick_ms);
	return clock_timeout_ms(ask->deadline_ms + ask->steps * all->step_timeout_ms);
}

/* No request has the type MESSAGE_NONE: its list holds those without a deadline. */
static struct request_list *
request_list_of(struct requests *all, const struct request *r)
{
	return &all->due[r->is_held ? MESSAGE_NONE : r->type];
}

/* Appends it to its list, or, with the short deadline, after the few others that have it.  After a
 * configuration with a shorter step a deadline may be earlier than that of the request before: then
 * it ends together with that one. */
static void
request_due(struct requests *all, struct request *r)
{
	struct request_list *list = &all->due[r->type];
	struct request *after = r->is_quick ? TAILQ_FIRST(list) : NULL;
	int64_t now_ms = clock_mono_ms();

	r->is_held = false;
	r->deadline_ms = now_ms + request_timeout_ms(all, r);
	while (after && after->deadline_ms <= r->deadline_ms)
		after = TAILQ_NEXT(after, due);
	if (after)
		TAILQ_INSERT_BEFORE(after, r, due);
	else
		TAILQ_INSERT_TAIL(list, r, due);
	requests_arm(all, r->deadline_ms, now_ms);
}

/* ---- the end ---- */

static void
request_close(struct request *r)
{
	struct requests *all = r->requests;

	if (r->is_unsent) {
		TAILQ_REMOVE(&all->unsent, r, due);
	} else {
		TAILQ_REMOVE(request_list_of(all, r), r, due);
		requests_remove(all, r);
	}
	r->requests = NULL;
}

/* The owner may free the request or send it again. */
static void
request_finish(struct request *r, enum request_end end, const struct channel_packet *p)
{
	request_fn *fn = r->fn;
	void *arg = r->arg;

	request_close(r);
	fn(end, p, arg);
}

void
request_cancel(struct request *r)
{
	if (r->requests)
		request_close(r);
}

bool
request_is_open(const struct request *r)
{
	return r->requests != NULL;
}

void
request_renew(struct request *r)
{
	struct requests *all = r->requests;

	if (!all || r->is_unsent)
		return;
	TAILQ_REMOVE(request_list_of(all, r), r, due);
	request_due(all, r);
}

void
request_hold(struct request *r)
{
	struct requests *all = r->requests;

	if (!all || r->is_unsent)
		return;
	TAILQ_REMOVE(request_list_of(all, r), r, due);
	r->is_held = true;
	r->deadline_ms = INT64_MAX;
	TAILQ_INSERT_TAIL(request_list_of(all, r), r, due);
}

/* ---- opening ---- */

void
requests_open(struct requests *all, struct request *r, enum message_type type)
{
	struct request **place;

	if (all->count == all->slot_count)
		requests_grow(all);
	r->requests = all;
	r->type = (uint16_t)type;
	r->is_unsent = r->is_fd_lost = false;
	r->number = ++all->last_number;
	place = request_slot(all, r->number);
	r->next = *place;
	*place = r;
	all->count++;
	request_due(all, r);
}

void
requests_fail_soon(struct request *r, enum request_end end)
{
	struct requests *all = r->requests;

	TAILQ_REMOVE(&all->due[r->type], r, due);
	requests_remove(all, r);
	r->is_unsent = true;
	r->end = (uint8_t)end;
	TAILQ_INSERT_TAIL(&all->unsent, r, due);
	requests_arm(all, 0, 0);
}

/* ---- called by the channel ---- */

static void
requests_close_late(const struct requests *all, struct channel_packet *p)
{
	if (all->late)
		all->late(p->fd, all->late_arg);
	else
		close(p->fd);
	p->fd = -1;
}

void
requests_answered(struct requests *all, struct channel_packet *p)
{
	struct request *r = requests_find(all, p->call);
	const struct message_question *ask =
	    r ? message_question((enum message_type)r->type) : NULL;
	bool is_row = ask && ask->has_rows && p->type == MESSAGE_ADMIN_ROW;
	bool is_end = ask && p->type == ask->answer && !p->is_fd_lost;
	bool has_fd = (is_end && ask->has_descriptor) || (is_row && ask->has_row_descriptors);

	if (p->fd >= 0 && !has_fd)
		requests_close_late(all, p);
	if (!r)
		return;
	r->is_fd_lost = p->is_fd_lost;
	if (is_row && !p->is_fd_lost) {
		request_renew(r);
		r->fn(REQUEST_ROW, p, r->arg);
		return;
	}
	request_finish(r, is_end ? REQUEST_ANSWERED : REQUEST_ERROR, is_end ? p : NULL);
}

/* Requests that fail meanwhile wait for the next turn of the loop. */
static void
requests_end_unsent(struct requests *all, const bool *freed)
{
	struct request *r;
	size_t count = 0;

	TAILQ_FOREACH(r, &all->unsent, due)
		count++;
	while (count-- > 0 && !*freed && (r = TAILQ_FIRST(&all->unsent)))
		request_finish(r, (enum request_end)r->end, NULL);
}

void
requests_expire(struct requests *all, const bool *freed)
{
	int64_t now_ms = clock_mono_ms(), next_ms = INT64_MAX;
	struct request *r;

	all->timer_ms = INT64_MAX;
	requests_end_unsent(all, freed);
	for (int type = 0; type < MESSAGE_TYPES && !*freed; type++) {
		while ((r = TAILQ_FIRST(&all->due[type])) && r->deadline_ms <= now_ms) {
			request_finish(r, REQUEST_EXPIRED, NULL);
			if (*freed)
				return;
		}
		if (r && r->deadline_ms < next_ms)
			next_ms = r->deadline_ms;
	}
	if (*freed)
		return;
	if (!TAILQ_EMPTY(&all->unsent))
		next_ms = now_ms;
	if (next_ms != INT64_MAX)
		requests_arm(all, next_ms, now_ms);
}

void
requests_lose(struct requests *all, const bool *freed)
{
	struct request *r;

	/* the callback of one may send the next on the same channel: that one ends too */
	for (int round = 0; round < REQUESTS_LOSE_ROUNDS && !*freed; round++) {
		requests_end_unsent(all, freed);
		for (int type = 0; type < MESSAGE_TYPES && !*freed; type++)
			while (!*freed && (r = TAILQ_FIRST(&all->due[type])))
				request_finish(r, REQUEST_LOST, NULL);
		if (*freed || TAILQ_EMPTY(&all->unsent))
			return;
	}
	if (!*freed)
		log_error(
		    "ipc: requests on a lost channel do not end: this is a fault of the program, "
		    "please report it");
}

/* ---- creation and end ---- */

void
requests_init(struct requests *all, struct event *timer)
{
	*all = (struct requests){
	    .timer = timer, .timer_ms = INT64_MAX, .step_timeout_ms = STEP_TIMEOUT_MS};
	TAILQ_INIT(&all->unsent);
	for (int type = 0; type < MESSAGE_TYPES; type++)
		TAILQ_INIT(&all->due[type]);
}

void
requests_clear(struct requests *all)
{
	struct request *r;

	while ((r = TAILQ_FIRST(&all->unsent)))
		request_close(r);
	for (int type = 0; type < MESSAGE_TYPES; type++)
		while ((r = TAILQ_FIRST(&all->due[type])))
			request_close(r);
	mem_free(all->slots);
}
