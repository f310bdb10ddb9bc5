/*
 * cases: see the header.
 */
#include "cases.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

static int log_file = -1;

size_t
cases_logged(void)
{
	struct stat now;

	if (fstat(log_file, &now) != 0)
		die("no log");
	return (size_t)now.st_size;
}

/* A log that cannot be read completely would look like one without the searched line. */
char *
cases_log(void)
{
	size_t bytes = cases_logged();
	char *text = mem_new(bytes + 1);

	if (pread(log_file, text, bytes, 0) != (ssize_t)bytes)
		die("the log cannot be read");
	text[bytes] = 0;
	return text;
}

unsigned
cases_told(const char *words)
{
	return cases_told_since(0, words);
}

unsigned
cases_told_since(size_t logged, const char *words)
{
	char *text = cases_log();
	unsigned count = 0;

	for (const char *p = text + logged; (p = strstr(p, words)); p++)
		count++;
	mem_free(text);
	return count;
}

unsigned
cases_told_both(const char *words, const char *more)
{
	char *text = cases_log(), *rest = text, *line;
	unsigned count = 0;

	while ((line = strsep(&rest, "\n")))
		count += strstr(line, words) && strstr(line, more);
	mem_free(text);
	return count;
}

void
cases_open_log(void)
{
	log_file = memfd_create("log", MFD_CLOEXEC);
	log_open(dup(log_file), LOG_TO_FILE);
}

void
cases_empty_log(void)
{
	/* the log's own descriptor has the same offset */
	if (ftruncate(log_file, 0) != 0 || lseek(log_file, 0, SEEK_SET) != 0)
		die("the log cannot be emptied");
}

int
cases_run(const struct crash_case *cases, size_t count)
{
	bool all = true;

	cases_open_log();
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%zu\n", count);
	for (size_t i = 0; i < count; i++) {
		bool is_good;

		cases_empty_log();
		is_good = cases[i].fn();
		printf("%sok %zu - %s\n", is_good ? "" : "not ", i + 1, cases[i].what);
		all &= is_good;
	}
	return !all;
}
