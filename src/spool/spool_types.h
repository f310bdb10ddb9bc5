/*
 * spool_types: what a spool stores: the types that both its users (spool.h) and its own files
 * need.  Strings in them belong to the one who fills them in, and are copied by the spool.
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
	/* until a message must be durable: the client waits 120 s */
	SPOOL_MESSAGE_WAIT_MS = 100000,
};

enum spool_outcome { SPOOL_WAITING, SPOOL_DONE, SPOOL_DEFERRED, SPOOL_FAILED };

struct spool_recipient {
	uint32_t number;                 /* from 1 */
	enum spool_outcome outcome;
	bool is_settled;                 /* nothing is left to do, no report either */
	uint32_t attempts;
	int64_t next_ms;                 /* DEFERRED: no attempt before */
	uint32_t marks;                  /* bits that only the queue interprets */
	/* text that only the queue interprets: last reply, host … */
	struct str detail;
};

/*
 * The owner of the statuses says what became of each recipient of a message, as it is now: for
 * out[0] to out[count - 1], which have their number and the initial state, the status; strings stay
 * the owner's and are valid until its message changes.  It knows each message that it took and that
 * is not removed.  What it says may be newer than what is stored, never older.  false: it does not
 * know the message, which then stays where it is.
 */
typedef bool spool_statuses_fn(
    struct msgid id, struct spool_recipient *out, uint32_t count, void *arg);

/* What the spool knows of a message; valid until the next call of the spool. */
struct spool_message {
	struct msgid id;
	struct str envelope;             /* only in recovery */
	uint32_t recipient_count;
	uint32_t header_bytes;
	uint64_t body_bytes;
	bool is_held;
	struct str held_why;
	/* [recipient_count]; NULL: all WAITING, or the owner of the statuses has them */
	const struct spool_recipient *recipients;
};

/* UNKNOWN: of a newer version, kept unchanged; only the spool itself appends it. */
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
			/* from spool_file; owned by the spool once appended */
			int fd;
			struct str sums; /* checksums of a body file (base/block_sums), as stored */
			struct str parts;        /* internal: all after the header */
		} message;
		struct spool_recipient status; /* the complete new status of that recipient */
		struct {
			bool is_held;
			struct str why;          /* at most SPOOL_DETAIL_MAX bytes */
		} hold;
		struct {
			struct str name;
			struct str value;        /* replaces the former one; empty: removed */
		} note;
		struct {
			uint32_t type;
			struct str bytes;
		} unknown;
	};
};

enum spool_urgency {
	SPOOL_NOW,                       /* a client waits: with the next sync */
	SPOOL_LAZY,                      /* with another commit, at most SPOOL_LAZY_MS later */
	SPOOL_REPORT,                    /* as NOW, by the rule of spool_admits_reports */
};

/* error 0: durable.  Otherwise an errno, and the append has no effect: EIO, ENOSPC, EMFILE …
 * EILSEQ: the body file has a bare CR or LF, or NUL; EBADMSG: its size changed after it was
 * appended; ETIMEDOUT: the message was not durable in time for its answer. */
typedef void spool_done_fn(int error, void *arg);

struct spool_batch {
	const struct spool_entry *entries;
	size_t count;
	enum spool_urgency urgency;
	spool_done_fn *fn;               /* may be NULL */
	void *arg;
};

#endif
