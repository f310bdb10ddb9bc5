/*
 * lost_rig: a spool on a simulated disk with a message that is damaged, and one who is told of it
 * and does what the queue does.
 */
#ifndef TESTS_CRASH_LOST_RIG_H
#define TESTS_CRASH_LOST_RIG_H

#include "model.h"
#include "spool/spool_internal.h"

enum { SEGMENTS_FEW = 8, CALLS_MAX = 256, LOST_WORDS_BYTES = 64 };

/* One that is put aside. */
struct lost_call {
	struct lost_test *test;
	struct msgid id;
};

struct lost_test {
	struct model m;
	struct msgid id;                 /* of the one that is damaged */
	bool is_any;                     /* all of them are damaged */
	struct lost_call calls[CALLS_MAX];
	unsigned found;
	int found_error;
	int keep_result;                 /* of the last lost_record_set_aside */
	int put_result; /* what it came to, or lost_record_append; -1: not told yet */
	bool puts_nothing;               /* what is put aside does not become lost */
	unsigned done;
	int done_error;
	bool is_deaf;                    /* does nothing when it is told of a loss */
	struct spool_message recovered;  /* of that id, at the last start */
	bool has_words;                  /* its envelope is lost_words */
	unsigned failed, settled;        /* its recipients */
};

/* Told of a loss: begins it. */
bool lost_found(struct msgid id, int error, void *arg);
bool lost_open(struct lost_test *t);
/* Three messages; the first one is the one that will be damaged. */
struct lost_test *lost_begin(uint64_t seed, bool in_file);
/* Whether all was as it should be. */
bool lost_end(struct lost_test *t);
struct stored_message *lost_item(const struct lost_test *t);
uint64_t lost_segments(struct lost_test *t);
/* One byte of its record changes, and changes back. */
void lost_flip(struct lost_test *t);
void lost_bad_place(struct lost_test *t, char name[SEGMENT_NAME_BYTES]);
/* As if the next try were due, and the first had been so long ago. */
void lost_age(struct lost_test *t, int64_t ms);
/* What the spool reads for itself is asked for in one turn, and told of in the next. */
void lost_turns(struct lost_test *t, unsigned count);
/* A try to put the message aside comes to its end. */
void lost_try(struct lost_test *t);
/* Settles the lost message, as a queue does that has stored the report. */
void lost_settle(struct lost_test *t);
/* is_whole: what is put aside holds the body. */
void lost_expect_files(struct lost_test *t, bool is_whole);
/* At the last start it was found without content. */
void lost_expect_state(struct lost_test *t);
/* The same is found after a start, and once it is settled nothing is left but the files. */
void lost_expect_lost(struct lost_test *t, bool is_whole);

#endif
