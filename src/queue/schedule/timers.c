/*
 * timers: a binary heap; each timer stores its place in it.
 */
#include "queue/schedule/timers.h"

#include "base/mem.h"

void
timers_init(struct timers *h)
{
	*h = (struct timers){0};
}

void
timers_clear(struct timers *h)
{
	mem_free(h->heap);
	timers_init(h);
}

static void
place_timer(struct timers *h, struct timer *t, size_t place)
{
	h->heap[place] = t;
	t->place = (uint32_t)place;
}

static void
sift_timer_up(struct timers *h, struct timer *t, size_t place)
{
	while (place > 1 && h->heap[place / 2]->at_ms > t->at_ms) {
		place_timer(h, h->heap[place / 2], place);
		place /= 2;
	}
	place_timer(h, t, place);
}

static void
sift_timer_down(struct timers *h, struct timer *t, size_t place)
{
	for (size_t child = place * 2; child <= h->count; child = place * 2) {
		if (child < h->count && h->heap[child + 1]->at_ms < h->heap[child]->at_ms)
			child++;
		if (h->heap[child]->at_ms >= t->at_ms)
			break;
		place_timer(h, h->heap[child], place);
		place = child;
	}
	place_timer(h, t, place);
}

/* Moves a timer from a free place to the place where it belongs. */
static void
sift_timer(struct timers *h, struct timer *t, size_t place)
{
	if (place > 1 && h->heap[place / 2]->at_ms > t->at_ms)
		sift_timer_up(h, t, place);
	else
		sift_timer_down(h, t, place);
}

void
timers_set(struct timers *h, struct timer *t, int64_t at_ms)
{
	t->at_ms = at_ms;
	if (t->place) {
		sift_timer(h, t, t->place);
		return;
	}
	if (h->count + 2 > h->cap) {
		h->cap = h->cap ? h->cap * 2 : 64;
		h->heap = mem_grow(h->heap, h->cap * sizeof *h->heap);
	}
	sift_timer_up(h, t, ++h->count);
}

void
timers_remove(struct timers *h, struct timer *t)
{
	size_t place = t->place;
	struct timer *last;

	if (place == 0)
		return;
	t->place = 0;
	last = h->heap[h->count--];
	if (last != t)
		sift_timer(h, last, place);
}

struct timer *
timers_first(const struct timers *h)
{
	return h->count ? h->heap[1] : NULL;
}
