/*
 * model: what the spool was asked to store, and whether it did.  Everything about a message follows
 * from its id; every status, hold and note carries a rising version, so that what is found after a
 * crash can be placed between what was acknowledged and what was requested.
 */
#ifndef TESTS_MODEL_H
#define TESTS_MODEL_H

#include "simdisk.h"
#include "spool/spool.h"

enum { MODEL_MESSAGES = 400, MODEL_RECIPIENTS = 4, MODEL_NOTES = 3, MODEL_TICKETS = 4000 };

enum model_fate { MODEL_NONE, MODEL_ASKED, MODEL_STORED, MODEL_REFUSED };

struct model_version {
	uint32_t acked;
	uint32_t asked;
	uint32_t end;                    /* the version that settles; 0: none yet */
};

struct model_message {
	enum model_fate fate;
	struct msgid id;
	uint32_t recipient_count;
	size_t body_bytes;
	bool in_file;
	struct model_version recipients[MODEL_RECIPIENTS];
	struct model_version hold;
	/* requested together with this status */
	struct model_message *parent;
	uint32_t parent_recipient;
	uint32_t parent_version;
	uint64_t refused_at;             /* model.good at that time */
};

struct model_ticket {
	struct model *model;
	struct model_message *message;   /* newly appended, or NULL */
	struct model_version *version;   /* or NULL */
	uint32_t asked;
};

struct model {
	struct simdisk *disk;
	struct spool *spool;
	uint64_t seed;
	uint64_t last_id;
	struct model_message messages[MODEL_MESSAGES];
	struct model_version notes[MODEL_NOTES];
	uint32_t found_notes[MODEL_NOTES];
	struct model_ticket tickets[MODEL_TICKETS];
	size_t ticket_count;
	uint64_t acked;                  /* messages, in all */
	uint64_t good;                   /* acknowledged appends, in all */
	uint64_t bad;                    /* failed ones */
	unsigned faults;                 /* results that are wrong */
	bool is_quiet;
	bool may_lose;                   /* the disk was damaged: losses are only counted */
	unsigned lost;
	bool reads_fail;                 /* the disk refuses reads: an error is no wrong result */
	uint64_t read;                   /* messages that were read */
	uint64_t unread;                 /* messages that could not be read */
};

/* Makes a model with an empty disk of its own. */
struct model *model_new(uint64_t seed);
/* Opens what is on the disk; NULL spool with errno. */
bool model_open(struct model *m, const struct spool_options *o);
/* One random request; false: nothing more can be done in this round. */
bool model_act(struct model *m);
/* Lets the writer work, and handles its results. */
void model_turn(struct model *m);
/* Compares; then what was found is what must be there from now on. */
void model_check(struct model *m);
void model_close(struct model *m);
/* Closes the spool and frees its disk; returns how many results were wrong. */
unsigned model_end(struct model *m);
/* Opens and compares. */
void model_reopen(struct model *m, const struct spool_options *o);
/* After a fault: the disk refuses nothing any more, and a new message must be accepted. */
void model_expect_work(struct model *m);
/* Reads one message that exists and compares it. */
void model_read(struct model *m);

/* Appends one message with this many body bytes; false: refused at once. */
bool model_submit(struct model *m, size_t body_bytes, bool in_file);
/* Fills segments with so many messages that the model does not know, each settled at once. */
void model_churn(struct model *m, unsigned messages);
/* Settles so many recipients, without a turn. */
void model_finish(struct model *m, unsigned recipients);
/* Settles every recipient of every message, and runs turns. */
void model_finish_all(struct model *m);

__attribute__((format(printf, 2, 3))) void model_broken(struct model *m, const char *format, ...);

#endif
