/*
 * reader: reads messages from the disk for the loop: the frame, its checksums, the opening of a
 * body's file.  Runs as a thread of its own, so that a disk that is slow to read, or stands still,
 * stops nothing but reads; or by hand (reader_step).  It sees nothing of the index: what it needs
 * was copied when the reading was handed to it.  Readings are made in the order in which they came.
 */
#ifndef QUEUE_READER_H
#define QUEUE_READER_H

#include <pthread.h>
#include <sys/queue.h>

#include "queue/item.h"

TAILQ_HEAD(spool_reading_list, spool_reading);

/* One read of a message, for all that asked for it meanwhile. */
struct reading {
	TAILQ_ENTRY(reading) link;
	struct msgid id;
	/* the loop's side */
	struct spool_reading_list callers;
	struct segment *segment;         /* counts it in its readings; or NULL */
	bool is_ended;                   /* it is being told */
	/* what is to be read */
	struct item_place place;
	bool in_file;
	uint64_t body_bytes;             /* of that file */
	/* what came of it */
	int error;
	bool is_of_body;                 /* the error */
	struct buf room;                 /* the record's strings point into it */
	struct record record;
	int fd;                          /* of the body's file, or -1 */
};

TAILQ_HEAD(reading_list, reading);

struct reader {
	struct fsio *io;
	int event_fd;                    /* written to when there is something done */
	bool is_thread;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* under the lock */
	struct reading_list asked;       /* oldest first */
	struct reading_list done;        /* oldest first */
	bool is_waiting;
	bool is_stopping;
};

void reader_init(struct reader *r, struct fsio *io, int event_fd, bool is_thread);
int reader_start(struct reader *r) MUST_USE;
/* Ends the read under way, begins no other one, joins. */
void reader_stop(struct reader *r);
void reader_clear(struct reader *r);

struct reading *reading_new(struct msgid id);
/* Closes. */
void reading_free(struct reading *one, struct fsio *io);

/* place, in_file and body_bytes are set; it comes back through reader_done. */
void reader_ask(struct reader *r, struct reading *one);
/* All that was read goes to the end of the list. */
void reader_done(struct reader *r, struct reading_list *list);
/* By hand: all that was asked. */
void reader_step(struct reader *r);

#endif
