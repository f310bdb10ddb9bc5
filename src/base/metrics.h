/*
 * metrics: a small region of shared memory for each process of the daemon.  Main creates it, passes
 * its descriptor to the role and reads it.  The role writes its current work into it, the progress
 * of work that does not return to its event loop, and its rows of metric_table.h.  Writing is a few
 * stores: no system call, no lock.  A role without a region (a test, a thread of a library) writes
 * nothing.
 *
 * The reader trusts no value: the region belongs to the role, which may be broken.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include "base/id.h"
#include "base/metric_table.h"
#include "base/str.h"

enum {
	METRICS_BYTES = 4096,      /* of a region */
	METRICS_LACK_MS = 60000,   /* for so long after the last refusal a lack is reported */
	METRICS_WORD_BYTES = 24,   /* of the name of the work: a longer one is cut */
	METRICS_DETAIL_BYTES = 40, /* of the detail of the work */
	METRICS_TROUBLE_BYTES = 256, /* of a problem text, with its NUL: a longer one is cut */
	METRICS_TEXT_BYTES = 256,  /* at most written by metrics_read_work, with its NUL */
	METRICS_TROUBLE_TEXT_BYTES = 4 * METRICS_TROUBLE_BYTES, /* and by metrics_read_trouble */
};

struct metrics_region;

/* Main: a sealed memfd of METRICS_BYTES zeros; -1 with errno. */
int metrics_create(void) MUST_USE;
/* Main: maps a region for reading; NULL with errno. */
const struct metrics_region *metrics_map(int fd) MUST_USE;
/* Main: ends the mapping and sets *region to NULL. */
void metrics_unmap(const struct metrics_region **region);
/* "deliver 1R8K3M7Q4TB2-1", with every byte outside printable ASCII as \xHH; "-": no work is
 * set. */
char *metrics_read_work(const struct metrics_region *region, char out[METRICS_TEXT_BYTES]);
/* The problem that keeps the role from its work, in the same form; "": none. */
char *metrics_read_trouble(
    const struct metrics_region *region, char out[METRICS_TROUBLE_TEXT_BYTES]);
/* True if the role called metrics_lacks_descriptors in the last METRICS_LACK_MS. */
bool metrics_read_lacks_descriptors(const struct metrics_region *region);
/* The last value of metrics_disk. */
uint64_t metrics_read_disk_ms(const struct metrics_region *region);
/* The number of calls of metrics_progress. */
uint64_t metrics_read_progress(const struct metrics_region *region);
/* The role is inside a call that may block by design (a password check of a worker). */
bool metrics_read_is_blocking(const struct metrics_region *region);

/* What the process counted or set, 0 otherwise.  False: there is no region, or a gauge without a
 * value. */
bool metrics_read(const struct metrics_region *region, enum metric m, uint64_t *value_out);

/* Role: this thread writes into that region from now on.  0, or -1 with errno.  fd stays the
 * caller's. */
int metrics_use(int fd) MUST_USE;
/* Role: this thread writes into no region from now on. */
void metrics_leave(void);
/* Sets the current work of this thread.  `word` is a literal; the detail is copied and cut. */
void metrics_work(const char *word);
void metrics_work_id(const char *word, struct msgid id);
void metrics_work_on(const char *word, struct str detail);
/* Sets the problem that keeps this role from a part of its work ("accounts.db is missing"); "":
 * there is none any more.  The caller has METRICS_TROUBLE_BYTES for the text. */
void metrics_trouble(const char *text);
/* This role has refused or put off work because descriptors are lacking, now. */
void metrics_lacks_descriptors(void);
/* Sets for how long a thread of this role has been working on its current piece of file work. */
void metrics_disk(int64_t ms);
/* Counts n more.  The thread with the region counts; other threads leave it to that one. */
void metrics_count(enum metric m, uint64_t n);
/* Sets a gauge; or a counter that another structure of the process keeps. */
void metrics_set(enum metric m, uint64_t value);
/* Counts progress of work that does not return to the event loop (recovery of the spool). */
void metrics_progress(void);
/* Sets whether the role is inside a call that may block by design. */
void metrics_blocking(bool is_blocking);

#endif
