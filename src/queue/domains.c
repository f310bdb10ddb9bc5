/*
 * domains: see the header.
 */
#include "queue/domains.h"

#include "base/mem.h"

static void
free_destination(struct str key, void *value, void *arg)
{
	struct destination *d = value;

	(void)key;
	(void)arg;
	mem_free((char *)d->name.p);
	mem_free(d->status);
	mem_free(d);
}

void
destinations_init(
    struct destinations *all, struct timers *timers, struct sites *sites, uint8_t timer_kind)
{
	*all = (struct destinations){
	    .by_name = map_new(), .timers = timers, .sites = sites, .timer_kind = timer_kind};
	lookups_init(&all->lookups);
}

void
destinations_clear(struct destinations *all)
{
	map_each(all->by_name, free_destination, NULL);
	map_free(&all->by_name);
	lookups_clear(&all->lookups);
}

void
destinations_list(struct destinations *all, struct destination *d)
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
destinations_unlist_first(struct destinations *all)
{
	struct destination *d = all->todo;

	all->todo = d->next;
	d->is_listed = false;
}

struct destination *
destinations_get(struct destinations *all, struct str domain)
{
	struct destination *d = map_get(all->by_name, domain);

	if (!d) {
		d = MEM_NEW(struct destination);
		d->timer.kind = all->timer_kind;
		d->name = str_make(mem_text(domain.p, domain.n), domain.n);
		map_put(all->by_name, d->name, d);
	}
	return d;
}

void
destinations_free_if_unused(struct destinations *all, struct destination *d)
{
	if (d->references || d->is_listed || d->state != DESTINATION_UNKNOWN)
		return;
	lookup_end(&all->lookups, &d->lookup);
	map_remove(all->by_name, d->name);
	free_destination(d->name, d, NULL);
}

static void
count_delayed(struct destinations *all, int64_t change)
{
	all->delayed += (size_t)change;
	/* one that went below zero is huge */
	if (all->delayed > all->asking)
		die("destinations: more is counted as delayed than asks");
}

void
destinations_delay(struct destinations *all, struct destination *d)
{
	d->state = DESTINATION_DELAYED;
	d->has_news = true;
	count_delayed(all, d->asking);
}

void
destinations_forget_answer(struct destinations *all, struct destination *d)
{
	if (d->state == DESTINATION_DELAYED)
		count_delayed(all, -(int64_t)d->asking);
	timers_remove(all->timers, &d->timer);
	sites_drop(all->sites, &d->site);
	lookup_end(&all->lookups, &d->lookup);
	d->state = DESTINATION_UNKNOWN;
}

void
destinations_ask(struct destinations *all, struct destination *d)
{
	destinations_forget_answer(all, d);
	if (d->first)
		destinations_list(all, d);
	else
		destinations_free_if_unused(all, d);
}

static void
destination_ask_again(struct str key, void *value, void *arg)
{
	struct destination *d = value;

	(void)key;
	if (d->state == DESTINATION_ASKED)
		destinations_ask(arg, d);
}

void
destinations_ask_again(struct destinations *all)
{
	map_each(all->by_name, destination_ask_again, all);
}

void
destinations_look_up(struct destinations *all, struct destination *d)
{
	lookup_wait(&all->lookups, &d->lookup, d->first->user);
}

struct destination *
destinations_next_lookup(struct destinations *all)
{
	struct lookup *l;

	while ((l = lookups_take(&all->lookups))) {
		struct destination *d =
		    (struct destination *)((char *)l - offsetof(struct destination, lookup));

		if (d->first) {
			d->state = DESTINATION_ASKED;
			return d;
		}
		/* nobody wants it any more */
		lookup_end(&all->lookups, l);
		destinations_free_if_unused(all, d);
	}
	return NULL;
}

void
destinations_push(struct destinations *all, struct parcel *p)
{
	struct destination *d = p->destination;

	p->state = PARCEL_ASKING;
	p->next = NULL;
	p->previous = d->last;
	if (d->last)
		d->last->next = p;
	else
		d->first = p;
	d->last = p;
	d->asking++;
	all->asking++;
	count_delayed(all, d->state == DESTINATION_DELAYED);
	if (d->lookup.line)
		lookup_wait(&all->lookups, &d->lookup, p->user);
}

void
destinations_pull(struct destinations *all, struct parcel *p)
{
	struct destination *d = p->destination;

	if (p->previous)
		p->previous->next = p->next;
	else
		d->first = p->next;
	if (p->next)
		p->next->previous = p->previous;
	else
		d->last = p->previous;
	p->next = p->previous = NULL;
	if (d->state == DESTINATION_DELAYED)
		count_delayed(all, -1);
	d->asking--;
	all->asking--;
}
