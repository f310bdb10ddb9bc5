/*
 * spool_types: what is stored in a spool, as its users give it (spool.h) and as its own files see
 * it.
 */
#ifndef SPOOL_SPOOL_TYPES_H
#define SPOOL_SPOOL_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"
#include "base/str.h"

enum {
	SPOOL_DETAIL_MAX = 512,          /* bytes of a recipient's detail */
	SPOOL_NAME_MAX = 64,             /* bytes of a note's name */
	SPOOL_NOTE_MAX = 262144,         /* bytes of a note's value */
	SPOOL_RECIPIENTS_MAX = 1000,
	SPOOL_ENTRIES_MAX = 2048,        /* entries of one batch */
	SPOOL_SEGMENT_MIN = 64 << 10,
	SPOOL_WAITING_MAX = 64 << 20,    /* bytes appended and not yet durable */
	SPOOL_LAZY_MS = 50,
	SPOOL_MESSAGE_WAIT_MS = 100000,  /* until a message must be durable: who asks waits 120 s */
};

enum spool_outcome { SPOOL_WAITING, SPOOL_DONE, SPOOL_DEFERRED, SPOOL_FAILED };

struct spool_recipient {
	uint32_t number;                 /* from 1 */
	enum spool_outcome outcome;
	bool is_settled;                 /* nothing is owed any more, a report neither */
	uint32_t attempts;
	int64_t next_ms;                 /* DEFERRED: not before */
	uint32_t marks;                  /* the queue's own bits */
	struct str detail;               /* the queue's own words: last reply, host … */
};

/* What the spool knows of a message; valid until the next call of the spool. */
struct spool_message {
	struct msgid id;
	struct str envelope;             /* only in recovery */
	uint32_t recipient_count;
	uint32_t header_bytes;
	uint64_t body_bytes;
	bool is_held;
	struct str held_why;
	const struct spool_recipient *recipients; /* [recipient_count], or NULL: all WAITING */
};

/* UNKNOWN: of a newer version, kept as it is; the spool's own, never appended by others. */
enum spool_kind { SPOOL_MESSAGE, SPOOL_STATUS, SPOOL_HOLD, SPOOL_NOTE, SPOOL_UNKNOWN };

struct spool_entry {
	enum spool_kind kind;
	struct msgid id;                 /* not of notes */
	union {
		struct {
			uint32_t recipient_count;
			struct str envelope;
			struct str header;
			struct str body;         /* when not in_file */
			bool in_file;
			bool is_lost;            /* the content, see spool/lost_record.h */
			int fd;                  /* from spool_file; the spool's once appended */
			struct str sums; /* of a body in a file (base/block_sums), as stored */
			struct str parts;        /* the spool's own: all behind the header */
		} message;
		struct spool_recipient status; /* the whole new state of that recipient */
		struct {
			bool is_held;
			struct str why;          /* SPOOL_DETAIL_MAX */
		} hold;
		struct {
			struct str name;
			struct str value;        /* replaces the former one; empty: forgotten */
		} note;
		struct {
			uint32_t type;
			struct str bytes;
		} unknown;
	};
};

enum spool_urgency {
	SPOOL_NOW,                       /* someone waits: with the next sync */
	SPOOL_LAZY,                      /* rides along, at most SPOOL_LAZY_MS later */
	SPOOL_REPORT,                    /* as NOW, by the rule of spool_admits_reports */
};

/* error 0: durable.  Else an errno, and it never happened: EIO, ENOSPC, EMFILE …  EILSEQ: the
 * body's file has a bare CR or LF, or NUL; EBADMSG: its size changed after it was appended;
 * ETIMEDOUT: a message that was durable too late to be answered in time, or never came so far. */
typedef void spool_done_fn(int error, void *arg);

struct spool_batch {
	const struct spool_entry *entries;
	size_t count;
	enum spool_urgency urgency;
	spool_done_fn *fn;               /* may be NULL */
	void *arg;
};

#endif
