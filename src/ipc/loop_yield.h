/*
 * loop_yield: how much of its time a thread works.  One that works much lets others run between two
 * turns of its loop (sched_yield): what they and its clients say meanwhile is then done in one
 * turn, and nobody has to wake it for each.  One that has little to do does not: where other
 * programs use the processors, it would wait for them each time.
 */
#ifndef IPC_LOOP_YIELD_H
#define IPC_LOOP_YIELD_H

#include <stdbool.h>
#include <stdint.h>

enum { LOOP_YIELD_PERIOD_MS = 100, LOOP_YIELD_BUSY_PERCENT = 25 };

struct loop_yield {
	int64_t since_us; /* the period that runs; monotonic */
	int64_t used_us;  /* of the processor, at its beginning */
	bool is_busy;     /* in the period before */
};

/* True: a period is over, and loop_yield_count is to be called. */
static inline bool
loop_yield_is_due(const struct loop_yield *t, int64_t now_us)
{
	return now_us - t->since_us >= LOOP_YIELD_PERIOD_MS * 1000;
}

/* used_us: what the thread has used of the processor since it began. */
void loop_yield_count(struct loop_yield *t, int64_t now_us, int64_t used_us);
/* Between two turns of the loop. */
void loop_yield_next(struct loop_yield *t);

#endif
