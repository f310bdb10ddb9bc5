/*
 * next_hops: those with a step to do are in a list; an answer ends with its timer.
 */
#include "queue/schedule/next_hops.h"

#include "base/mem.h"

static void
free_sched_next_hop(struct str key, void *value, void *arg)
{
	struct sched_next_hop *d = value;

	(void)key;
	(void)arg;
	mem_free((char *)d->name.p);
	mem_free(d->status);
	mem_free(d);
}

void
sched_next_hops_init(struct sched_next_hops *all, struct timers *timers,
    struct sched_destinations *destinations, uint8_t timer_kind)
{
	*all = (struct sched_next_hops){.by_name = map_new(),
	    .timers = timers,
	    .destinations = destinations,
	    .timer_kind = timer_kind};
	sched_lookups_init(&all->lookups);
}

void
sched_next_hops_clear(struct sched_next_hops *all)
{
	map_each(all->by_name, free_sched_next_hop, NULL);
	map_free(&all->by_name);
	sched_lookups_clear(&all->lookups);
}

void
sched_next_hops_list(struct sched_next_hops *all, struct sched_next_hop *d)
{
	if (d->is_listed)
		return;
	d->is_listed = true;
	d->next = NULL;
	if (all->todo)
		all->todo_last->next = d;
	else
		all->todo = d;
	all->todo_last = d;
}

void
sched_next_hops_unlist_first(struct sched_next_hops *all)
{
	struct sched_next_hop *d = all->todo;

	all->todo = d->next;
	d->is_listed = false;
}

struct sched_next_hop *
sched_next_hops_get(struct sched_next_hops *all, struct str name)
{
	struct sched_next_hop *d = map_get(all->by_name, name);

	if (!d) {
		d = MEM_NEW(struct sched_next_hop);
		d->timer.kind = all->timer_kind;
		d->name = str_make(mem_text(name.p, name.n), name.n);
		map_put(all->by_name, d->name, d);
	}
	return d;
}

void
sched_next_hops_free_if_unused(struct sched_next_hops *all, struct sched_next_hop *d)
{
	if (d->references || d->is_listed || d->state != SCHED_NEXT_HOP_UNKNOWN)
		return;
	sched_lookup_end(&all->lookups, &d->lookup);
	map_remove(all->by_name, d->name);
	free_sched_next_hop(d->name, d, NULL);
}

static void
count_delayed(struct sched_next_hops *all, int64_t change)
{
	all->delayed += (size_t)change;
	/* a value below zero has wrapped around */
	if (all->delayed > all->asking)
		die("next_hops: more deliveries are counted as delayed than wait");
}

void
sched_next_hops_delay(struct sched_next_hops *all, struct sched_next_hop *d)
{
	d->state = SCHED_NEXT_HOP_DELAYED;
	d->is_failure_unreported = true;
	count_delayed(all, d->asking);
}

void
sched_next_hops_forget_answer(struct sched_next_hops *all, struct sched_next_hop *d)
{
	if (d->state == SCHED_NEXT_HOP_DELAYED)
		count_delayed(all, -(int64_t)d->asking);
	timers_remove(all->timers, &d->timer);
	sched_destinations_unref(all->destinations, &d->destination);
	sched_lookup_end(&all->lookups, &d->lookup);
	d->state = SCHED_NEXT_HOP_UNKNOWN;
}

void
sched_next_hops_ask(struct sched_next_hops *all, struct sched_next_hop *d)
{
	sched_next_hops_forget_answer(all, d);
	if (d->first)
		sched_next_hops_list(all, d);
	else
		sched_next_hops_free_if_unused(all, d);
}

static void
sched_next_hop_ask_again(struct str key, void *value, void *arg)
{
	struct sched_next_hop *d = value;

	(void)key;
	if (d->state == SCHED_NEXT_HOP_ASKED)
		sched_next_hops_ask(arg, d);
}

void
sched_next_hops_ask_again(struct sched_next_hops *all)
{
	map_each(all->by_name, sched_next_hop_ask_again, all);
}

void
sched_next_hops_look_up(struct sched_next_hops *all, struct sched_next_hop *d)
{
	sched_lookup_wait(&all->lookups, &d->lookup, d->first->user);
}

struct sched_next_hop *
sched_next_hops_next_lookup(struct sched_next_hops *all)
{
	struct sched_lookup *l;

	while ((l = sched_lookups_take(&all->lookups))) {
		struct sched_next_hop *d =
		    (struct sched_next_hop *)((char *)l - offsetof(struct sched_next_hop, lookup));

		if (d->first) {
			d->state = SCHED_NEXT_HOP_ASKED;
			return d;
		}
		/* no delivery needs it any more */
		sched_lookup_end(&all->lookups, l);
		sched_next_hops_free_if_unused(all, d);
	}
	return NULL;
}

void
sched_next_hops_push(struct sched_next_hops *all, struct sched_delivery *p)
{
	struct sched_next_hop *d = p->next_hop;

	p->state = DELIVERY_ASKING;
	p->next = NULL;
	p->previous = d->last;
	if (d->last)
		d->last->next = p;
	else
		d->first = p;
	d->last = p;
	d->asking++;
	all->asking++;
	count_delayed(all, d->state == SCHED_NEXT_HOP_DELAYED);
	if (d->lookup.queue)
		sched_lookup_wait(&all->lookups, &d->lookup, p->user);
}

void
sched_next_hops_pull(struct sched_next_hops *all, struct sched_delivery *p)
{
	struct sched_next_hop *d = p->next_hop;

	if (p->previous)
		p->previous->next = p->next;
	else
		d->first = p->next;
	if (p->next)
		p->next->previous = p->previous;
	else
		d->last = p->previous;
	p->next = p->previous = NULL;
	if (d->state == SCHED_NEXT_HOP_DELAYED)
		count_delayed(all, -1);
	d->asking--;
	all->asking--;
}
