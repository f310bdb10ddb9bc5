/* rig: a spool on the real disk, in a directory of its own, and the test as its loop.  What
 * waits does so for RIG_PATIENCE_MS, and then the test has failed. */
#ifndef TESTS_UNIT_QUEUE_SPOOL_RIG_H
#define TESTS_UNIT_QUEUE_SPOOL_RIG_H

#include <stdatomic.h>

#include "spool/body_files.h"
#include "spool/spool.h"

enum { RIG_PATIENCE_MS = 20000, RIG_BODY_MAX = 3500000 };

struct spool_rig {
	struct spool *spool;
	struct spool_options options;           /* of the next start */
	char directory[64];
	struct fsio *io;
	const struct fsio_ops *disk;            /* the real one */
	void (*watch)(struct fsio_ops *ops);
};

extern struct spool_rig rig; /* a test has a process of its own */

/* o but for io.  watch puts calls of the test in the place of the disk's. */
void rig_begin(const struct spool_options *o, void (*watch)(struct fsio_ops *ops));
void rig_end(void);
/* As it stands on the disk; the spool may be closed already. */
void rig_open_again(void);
/* The same, and it must be refused: the errno. */
int rig_open_refused(void);

/* Within a call of the disk, which does not end before the flag is false. */
void rig_stand(const atomic_bool *flag);
extern atomic_uint rig_stuck; /* calls that did not end at once */

/* ---- the loop ---- */

/* As the queue's loop does it: no call of the spool may take long.  Threadless: without waiting. */
void rig_turn(void);
/* answer: -1 until there is one. */
void rig_until(const int *answer);
void rig_until_count(const atomic_uint *count, unsigned enough, const char *what);
/* For appends and checks: *(int *)arg becomes the error. */
void rig_heard(int error, void *arg);
/* The same for reads. */
void rig_got(const struct spool_content *content, int error, void *arg);

/* ---- messages ---- */

struct msgid rig_id(uint32_t number);
/* Of one recipient, small. */
struct spool_entry rig_message(uint32_t number);
/* The same with so large a body in a file. */
struct spool_entry rig_message_in_file(uint32_t number, size_t body_bytes);
/* Delivered, and nothing is owed any more. */
struct spool_entry rig_done(uint32_t number, uint32_t recipient);

/* answer: NULL: nobody hears it. */
void rig_append_soon(const struct spool_entry *e, size_t count, int *answer);
/* Waits until it is durable. */
void rig_append(const struct spool_entry *e, size_t count);
void rig_store_soon(uint32_t number, int *answer);
void rig_store(uint32_t number);
void rig_store_in_file(uint32_t number, size_t body_bytes);
/* All its recipients, at most two. */
void rig_settle(uint32_t number);
/* Messages that are finished at once, so that the log moves on and segments are freed. */
void rig_churn(uint32_t from, unsigned count);
void rig_read(uint32_t number);
/* In use, and free. */
uint64_t rig_segments(void);

/* ---- files of bodies ---- */

struct rig_file {
	struct spool_file_wait wait;
	int answer;                             /* -1: none yet, 0, or an errno */
	int fd;
};

void rig_ask_file(struct rig_file *f);
int rig_take_file(void);
/* The check of a body that holds these words, and is as it was stored, is begun. */
void rig_check_body(struct str words, int *answer);

#endif
