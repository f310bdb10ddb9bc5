/*
 * cases: runs the cases of a crash program, prints the results as TAP, and gives access to what the
 * spool has logged during a case.
 */
#ifndef CRASH_CASES_H
#define CRASH_CASES_H

#include <stdbool.h>
#include <stddef.h>

struct crash_case {
	const char *what;
	bool (*fn)(void);
};

/* How often these words are in the log of this case. */
unsigned cases_told(const char *words);
/* The same after its first `logged` bytes, a former result of cases_logged. */
unsigned cases_told_since(size_t logged, const char *words);
/* The number of its lines that contain both. */
unsigned cases_told_both(const char *words, const char *more);
/* The size of the log in bytes. */
size_t cases_logged(void);
/* The whole log; the caller frees it. */
char *cases_log(void);

/* For a program that does not use cases_run: opens the log; the second function empties it. */
void cases_open_log(void);
void cases_empty_log(void);

/* Runs the cases in turn, each with an empty log; returns the exit status of the program. */
int cases_run(const struct crash_case *cases, size_t count);

#endif
