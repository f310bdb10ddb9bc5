/*
 * metrics: a small region of shared memory for each process of the daemon.  Main makes it, passes
 * its descriptor to the role and reads it; the role writes into it what it is doing now and how far
 * it is with work that does not return to its loop.  Writing is a few stores: no system call, no
 * lock.  A role without a region (a test, a thread of the library) writes nothing.
 *
 * The reader believes nothing: the region belongs to the role, which may be broken.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include "base/id.h"
#include "base/str.h"

enum {
	METRICS_BYTES = 4096,      /* of a region */
	METRICS_WORD_BYTES = 24,   /* of the name of a work: longer ones are cut */
	METRICS_DETAIL_BYTES = 40, /* of what it works on */
	METRICS_TROUBLE_BYTES = 256, /* of a trouble, with its NUL: a longer one is cut */
	METRICS_TEXT_BYTES = 256,  /* what metrics_read_work writes at most, with its NUL */
	METRICS_TROUBLE_TEXT_BYTES = 4 * METRICS_TROUBLE_BYTES, /* and metrics_read_trouble */
};

struct metrics_region;

/* Main: a sealed memfd of METRICS_BYTES zeros; -1 with errno. */
int metrics_create(void) MUST_USE;
/* Main: maps a region for reading; NULL with errno. */
const struct metrics_region *metrics_map(int fd) MUST_USE;
void metrics_unmap(const struct metrics_region **region);
/* "deliver 1R8K3M7Q4TB2-1", with every byte outside printable ASCII as \xHH; "-": nothing said. */
char *metrics_read_work(const struct metrics_region *region, char out[METRICS_TEXT_BYTES]);
/* What keeps the role from its work, written likewise; "": nothing. */
char *metrics_read_trouble(
    const struct metrics_region *region, char out[METRICS_TROUBLE_TEXT_BYTES]);
/* What metrics_disk was told last. */
uint64_t metrics_read_disk_ms(const struct metrics_region *region);
/* How often metrics_progress was called. */
uint64_t metrics_read_progress(const struct metrics_region *region);
/* The role is inside a call that may block by design (a worker's check). */
bool metrics_read_is_blocking(const struct metrics_region *region);

/* Role: this thread writes into that region from now on.  0, or -1 with errno.  fd stays the
 * caller's. */
int metrics_use(int fd) MUST_USE;
void metrics_leave(void);
/* What this thread does now.  `word` is a literal; the detail is copied and cut. */
void metrics_work(const char *word);
void metrics_work_id(const char *word, struct msgid id);
void metrics_work_on(const char *word, struct str detail);
/* What keeps this role from doing all its work ("accounts.db is missing"); "": nothing any more.
 * Who makes the text has METRICS_TROUBLE_BYTES for it. */
void metrics_trouble(const char *text);
/* For how long a thread of this role that reads and writes files is at one piece of its work. */
void metrics_disk(int64_t ms);
/* Work that does not return to the loop has come further (recovery of the spool). */
void metrics_progress(void);
void metrics_blocking(bool is_blocking);

#endif
