/*
 * cases: a crash program's cases, told as TAP, and the log of the spool while they run.
 */
#ifndef CRASH_CASES_H
#define CRASH_CASES_H

#include <stdbool.h>
#include <stddef.h>

struct crash_case {
	const char *what;
	bool (*fn)(void);
};

/* How often these words stand in the log; ends the program when that is larger than it looks at. */
unsigned cases_told(const char *words);

/* Runs them in turn; the program's exit status. */
int cases_run(const struct crash_case *cases, size_t count);

#endif
