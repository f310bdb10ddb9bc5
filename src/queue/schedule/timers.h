/*
 * timers: a heap of times, embedded in the structs that wait.  The earliest is found at once;
 * setting, moving and removing cost the logarithm of the number of timers.
 */
#ifndef QUEUE_SCHEDULE_TIMERS_H
#define QUEUE_SCHEDULE_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer {
	int64_t at_ms;
	uint32_t place; /* from 1 in the heap; 0: not set */
	uint8_t kind;   /* of the struct that it is embedded in; for the owner */
};

struct timers {
	struct timer **heap; /* heap[0] is not used */
	size_t count;
	size_t cap;
};

void timers_init(struct timers *h);
void timers_clear(struct timers *h);
/* Sets it, or moves it when it is set. */
void timers_set(struct timers *h, struct timer *t, int64_t at_ms);
void timers_remove(struct timers *h, struct timer *t);
/* The earliest, or NULL. */
struct timer *timers_first(const struct timers *h);

#endif
