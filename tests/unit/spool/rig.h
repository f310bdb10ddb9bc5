/* rig: a spool on the real disk, in a directory of its own, with the test as its event loop.  A
 * wait that takes longer than RIG_TIMEOUT_MS fails the test. */
#ifndef TESTS_UNIT_SPOOL_RIG_H
#define TESTS_UNIT_SPOOL_RIG_H

#include <stdatomic.h>

#include "spool/body_files.h"
#include "spool/spool.h"

enum { RIG_TIMEOUT_MS = 20000, RIG_BODY_MAX = 3500000 };

struct spool_rig {
	struct spool *spool;
	struct spool_options options;    /* of the next start */
	char directory[64];
	struct fsio *io;
	const struct fsio_ops *disk;     /* the real one */
	void (*watch)(struct fsio_ops *ops);
};

extern struct spool_rig rig; /* each test runs in a process of its own */

/* Opens a spool in a new directory.  o: without io.  watch replaces calls of the disk with the
 * test's own. */
void rig_begin(const struct spool_options *o, void (*watch)(struct fsio_ops *ops));
/* Closes the spool and removes the directory. */
void rig_end(void);
/* Opens the spool again as it is on the disk; it may be closed already. */
void rig_open_again(void);
/* The same for a start that must be refused; returns its errno. */
int rig_open_refused(void);

/* To be called within a call of the disk: waits until the flag is false. */
void rig_block(const atomic_bool *flag);
extern atomic_uint rig_blocked; /* calls that had to wait */

/* ---- the event loop ---- */

/* One turn, as in the queue's event loop: no call of the spool may take long.  Threadless: without
 * waiting. */
void rig_turn(void);
/* Runs turns until *answer is not -1. */
void rig_until(const int *answer);
/* Runs turns until *count is high enough. */
void rig_until_count(const atomic_uint *count, unsigned enough, const char *what);
/* The callback of appends and checks: *(int *)arg becomes the error. */
void rig_answered(int error, void *arg);
/* The callback of reads, likewise. */
void rig_read_answered(const struct spool_content *content, int error, void *arg);

/* ---- messages ---- */

/* The id of a message. */
struct msgid rig_id(uint32_t number);
/* A small message with one recipient. */
struct spool_entry rig_message(uint32_t number);
/* The same with a body of that size in a file. */
struct spool_entry rig_message_in_file(uint32_t number, size_t body_bytes);
/* A final status: delivered. */
struct spool_entry rig_done(uint32_t number, uint32_t recipient);

/* Appends without waiting; answer: NULL: no callback. */
void rig_append_soon(const struct spool_entry *e, size_t count, int *answer);
/* Waits until it is durable. */
void rig_append(const struct spool_entry *e, size_t count);
void rig_store_soon(uint32_t number, int *answer);
void rig_store(uint32_t number);
void rig_store_in_file(uint32_t number, size_t body_bytes);
/* Settles all recipients of the message, at most two. */
void rig_settle(uint32_t number);
/* Stores messages that are settled at once, so that the log advances and segments are freed. */
void rig_churn(uint32_t from, unsigned count);
void rig_read(uint32_t number);
/* The number of segments in use and free. */
uint64_t rig_segments(void);

/* ---- body files ---- */

struct rig_file {
	struct spool_file_wait wait;
	int answer;                      /* -1: none yet, 0, or an errno */
	int fd;
};

void rig_request_file(struct rig_file *f);
int rig_take_file(void);
/* Begins the check of a body with this content, which matches its checksums. */
void rig_check_body(struct str words, int *answer);

#endif
