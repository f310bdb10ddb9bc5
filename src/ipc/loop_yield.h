/*
 * loop_yield: measures how much of its time a thread works.  A thread that works much lets other
 * threads run between two turns of its loop (sched_yield): then it handles what they and its
 * clients send meanwhile in one turn, without being woken for each message.  A thread with little
 * work does not yield: it would wait each time for other programs that use the processors.
 */
#ifndef IPC_LOOP_YIELD_H
#define IPC_LOOP_YIELD_H

#include <stdbool.h>
#include <stdint.h>

enum { LOOP_YIELD_PERIOD_MS = 100, LOOP_YIELD_BUSY_PERCENT = 25 };

struct loop_yield {
	int64_t since_us; /* start of the current period; monotonic */
	int64_t used_us;  /* processor time of the thread at its start */
	bool is_busy;     /* in the previous period */
};

/* True: a period is over, and loop_yield_count must be called. */
static inline bool
loop_yield_is_due(const struct loop_yield *t, int64_t now_us)
{
	return now_us - t->since_us >= LOOP_YIELD_PERIOD_MS * 1000;
}

/* Ends the period.  used_us: the processor time of the thread since it began. */
void loop_yield_count(struct loop_yield *t, int64_t now_us, int64_t used_us);
/* Call it between two turns of the loop: yields if the previous period was busy. */
void loop_yield_next(struct loop_yield *t);

#endif
