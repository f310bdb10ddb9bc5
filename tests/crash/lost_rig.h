/*
 * lost_rig: a spool on a simulated disk with a damaged message, and the callbacks that a queue
 * would have: they set the message aside and append its record without content.
 */
#ifndef TESTS_CRASH_LOST_RIG_H
#define TESTS_CRASH_LOST_RIG_H

#include "model.h"
#include "spool/spool_internal.h"

enum { SEGMENTS_FEW = 8, CALLS_MAX = 256, LOST_WORDS_BYTES = 64 };

/* A message that is set aside. */
struct lost_call {
	struct lost_test *test;
	struct msgid id;
};

struct lost_test {
	struct model m;
	struct msgid id;                 /* of the damaged one */
	bool is_any;                     /* all of them are damaged */
	struct lost_call calls[CALLS_MAX];
	unsigned found;
	int found_error;
	int keep_result;                 /* of the last lost_record_set_aside */
	int put_result; /* its final result, or that of lost_record_append; -1: none yet */
	bool puts_nothing;               /* what is set aside does not become lost */
	unsigned done;
	int done_error;
	bool is_deaf;                    /* lost_found does nothing */
	struct spool_message recovered;  /* of that id, at the last start */
	bool has_words;                  /* its envelope is lost_words */
	unsigned failed, settled;        /* its recipients */
};

/* The lost_record_found_fn: begins to set the message aside. */
bool lost_found(struct msgid id, int error, void *arg);
bool lost_open(struct lost_test *t);
/* Three messages; the first one is the one that will be damaged. */
struct lost_test *lost_begin(uint64_t seed, bool in_file);
/* Closes the spool; was all as expected? */
bool lost_end(struct lost_test *t);
struct stored_message *lost_item(const struct lost_test *t);
uint64_t lost_segments(struct lost_test *t);
/* Changes one byte of its record; the next call changes it back. */
void lost_flip(struct lost_test *t);
void lost_bad_place(struct lost_test *t, char name[SEGMENT_NAME_BYTES]);
/* As if the next attempt were due, and the first one had been so long ago. */
void lost_age(struct lost_test *t, int64_t ms);
/* In one turn the spool's own reads are requested, in the next their results are handled. */
void lost_turns(struct lost_test *t, unsigned count);
/* Runs turns until an attempt to set the message aside has its result. */
void lost_try(struct lost_test *t);
/* Settles the lost message, as a queue does after it has stored the report. */
void lost_settle(struct lost_test *t);
/* is_whole: the files include the body. */
void lost_expect_files(struct lost_test *t, bool is_whole);
/* At the last start it was found without content. */
void lost_expect_state(struct lost_test *t);
/* The same is found after a start, and once it is settled nothing is left but the files. */
void lost_expect_lost(struct lost_test *t, bool is_whole);

#endif
