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

/* How often these words stand in what this case has logged. */
unsigned cases_told(const char *words);
/* The same behind its first bytes: what cases_logged said before. */
unsigned cases_told_since(size_t logged, const char *words);
/* In how many lines of it both stand. */
unsigned cases_told_both(const char *words, const char *more);
/* Bytes of it. */
size_t cases_logged(void);
/* All of it; owned. */
char *cases_log(void);

/* For a program that does not use cases_run: the log is there, and it is emptied. */
void cases_open_log(void);
void cases_empty_log(void);

/* Runs them in turn, each with an empty log; the program's exit status. */
int cases_run(const struct crash_case *cases, size_t count);

#endif
