/* rig: the queue role in a process of its own, and the test around it as main, submission, relay
 * and control. */
#ifndef TESTS_UNIT_QUEUE_RIG_H
#define TESTS_UNIT_QUEUE_RIG_H

#include <event2/event.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "ipc/role.h"
#include "mail/envelope.h"
#include "support.h"

enum { RIG_ATTEMPTS_MAX = 16384, RIG_STORED_MAX = 16384, RIG_ROWS_MAX = 64, RIG_FD_BODY = 1200000,
	RIG_RECIPIENTS_MAX = 64 };

/* Lists that end in NULL: of recipients, and of pairs of a name and a value. */
#define TO(...) ((const char *const[]){__VA_ARGS__, NULL})
#define WITH(...) ((const char *const[]){__VA_ARGS__, NULL})

extern const char *const rig_nothing[]; /* an empty list */
/* Inside queue: { }: what was deferred is tried again after an hour, after a second. */
extern const char rig_slow[], rig_quick[];

/* The disk under the queue, as the test wants it; shared with the queue's process. */
struct rig_disk {
	atomic_bool blocks_reads;        /* no read of a message ends */
	atomic_uint reads_asked;    /* of the spool */
	atomic_uint reads;          /* of the disk */
	char unreadable[64];        /* EIO for what holds these words, in the envelope */
	char stuck[64];             /* reads of what holds these words do not end, but for ... */
	atomic_int reads_allowed;     /* ... so many */
	atomic_uint reads_blocked;          /* reads that stood still so */
	char wrong[64];             /* what holds these words is read wrong ... */
	atomic_int wrong_reads;     /* ... so often */
	char unwritten[64];         /* writes into the log of what holds these words do not end */
	atomic_uint unwritten_blocked; /* those that stood still so */
	char unwritable[64]; /* EIO when what holds these words is written into the log ... */
	atomic_int failing_writes;  /* ... so often */
	atomic_bool opens_nothing;  /* no call that opens a nameless file ends */
	atomic_uint opens;          /* of nameless files */
	atomic_bool is_read_only;   /* EROFS for what is written */
	atomic_uint free_percent;   /* so much is free, at first 80 ... */
	atomic_ullong total_bytes;  /* ... of so many; 0: of what the disk has */
	atomic_bool is_space_stuck; /* it does not say how much is free */
};

struct rig_attempt {
	uint64_t number;
	uint64_t ticket;
	struct msgid id;
	uint32_t numbers[16];
	size_t count;
	uint32_t attempt;
	char domain[64];
	char sender[64];
	char to[64]; /* the first to be tried */
	enum envelope_kind kind;
	char *header, *body; /* zero-terminated copies */
	size_t body_n;
};

struct rig {
	struct event_base *base;
	char directory[64];
	const char *queue_conf; /* inside queue: { } */
	const char *limits;     /* of each user, from a reload on; NULL: as at first */
	pid_t pid;
	struct rig_disk *disk;
	struct channel *main, *submission, *relay, *control;
	struct fault_channel *between; /* the queue and submission; NULL: nothing */
	bool is_ready, is_stopped, is_ended;
	unsigned submission_index; /* which of several, the next one that is given */
	uint32_t pairs;       /* given so far; the number of the last one */
	unsigned peers_lost;  /* that the queue told */
	uint32_t last_lost;   /* the number of that pair */
	unsigned alerts;      /* to main */
	uint8_t alert_kind;
	char alert[2048];     /* the last: "OBJECT|TEXT" */
	unsigned ends_lost;   /* of ours: the queue closed its own */
	int64_t newest_ms;
	/* of all recipients that are committed from now on */
	unsigned notify;
	/* of all results from now on */
	bool is_passed_on, is_delivered;
	/* relay */
	struct rig_attempt attempts[RIG_ATTEMPTS_MAX];
	unsigned attempt_count;
	uint64_t running_call;
	unsigned running_asked;
	bool is_caught_up; /* says so when it is asked */
	bool is_silent;    /* SITE_ASK is counted, and not answered */
	bool refuses_destinations, sends_wrong_types;
	unsigned asked;
	unsigned cancels;
	uint64_t cancelled; /* the last one */
	bool is_forced;     /* so was that */
	unsigned stored;
	struct message_result_stored stored_list[RIG_STORED_MAX];
	/* submission: the last verdict */
	struct smtp_status answer;
	enum request_end end;
	unsigned answers, answers_ok, recalls;
	uint32_t tokens; /* lent last */
	char limit[512]; /* that was told last */
	struct message_room room; /* told last */
	unsigned rooms;
	struct msgid accepted[RIG_ATTEMPTS_MAX]; /* told that they are queued */
	unsigned accepted_count;
	int fd;
	/* control */
	char rows[RIG_ROWS_MAX][4096];
	size_t row_bytes[RIG_ROWS_MAX];
	unsigned row_count;    /* without the total */
	char total[256];
	size_t total_bytes;
	bool stalls_next;      /* the next command's rows are not taken */
	uint64_t stalled_call;     /* nor are those of this one */
	size_t stalled_bytes; /* how much that was */
	unsigned stalled_ended;
	struct message_admin_done done;
	char done_text[256];
	unsigned dones;
};

/* Before rig_begin: what the queue logs is kept, in the file that is returned. */
int rig_keep_log(void);
/* All of it. */
const char *rig_logged(int log);
/* Has one line of it both? */
bool rig_has_line(int log, const char *first, const char *second);
/* How often do these words stand in it? */
unsigned rig_count_words(int log, const char *words);

void rig_begin(struct rig *r, const char *queue_conf);
/* The queue as it stands on the disk, in a new process; no relay yet. */
void rig_start(struct rig *r);
/* Main sends another configuration. */
void rig_reload(struct rig *r, const char *queue_conf);
void rig_kill(struct rig *r);
/* In good order. */
void rig_stop(struct rig *r);
void rig_end(struct rig *r);

void rig_relay(struct rig *r, bool caught_up);
/* The answer to the queue's RUNNING_ASK. */
void rig_caught_up(struct rig *r);
void rig_relay_gone(struct rig *r);
void rig_submission(struct rig *r);
/* The same, with r->between on the way. */
void rig_submission_through(struct rig *r);
/* How many descriptors the queue has open. */
unsigned rig_descriptors(struct rig *r);
void rig_until(struct rig *r, const unsigned *count, unsigned enough);
/* Lets the loop run that long. */
void rig_wait(struct rig *r, int ms);

struct msgid rig_id(uint64_t n);
/* user alice, or the one before '/' in the sender; recipients end in NULL.  Waits for the verdict.
 */
struct smtp_status rig_commit(
    struct rig *r, struct msgid id, const char *sender, const char *const *to);
/* The same without waiting. */
void rig_commit_soon(struct rig *r, struct msgid id, const char *sender, const char *const *to);
/* What was lent is in r->tokens. */
struct smtp_status rig_lease(struct rig *r, const char *user, uint32_t wanted);
void rig_return(struct rig *r, const char *user, uint32_t tokens, bool is_all);
void rig_ask_file(struct rig *r, const struct message_spool_file *m);
/* The same without waiting. */
void rig_ask_file_soon(struct rig *r, const struct message_spool_file *m);
struct smtp_status rig_ask_commit(struct rig *r, const struct message_commit *m);
void rig_release(struct rig *r, struct msgid id);

/* A result for the attempt's n-th recipient. */
void rig_result(
    struct rig *r, const struct rig_attempt *attempt, size_t n, unsigned code, const char *reason);
void rig_results(
    struct rig *r, const struct rig_attempt *attempt, unsigned code, const char *reason);
/* The index-th attempt since the start, waiting for it. */
const struct rig_attempt *rig_attempt(struct rig *r, unsigned index);
/* The one for that domain, which is there already. */
const struct rig_attempt *rig_attempt_for(struct rig *r, const char *domain);
/* How many of the attempts are reports. */
unsigned rig_reports(const struct rig *r);

/* values: pairs that end in NULL.  Waits for the end. */
void rig_admin(struct rig *r, const char *verb, const char *const *values);
/* The same without waiting. */
void rig_admin_soon(struct rig *r, const char *verb, const char *const *values);
/* Control says that rows of that command were taken, or that its client is gone. */
void rig_rows_taken(struct rig *r, uint64_t call, size_t bytes, bool is_gone);
void rig_control_gone(struct rig *r);
struct str rig_row(struct rig *r, unsigned row, const char *key);
/* All of the queue is settled, and stays so over a kill. */
void rig_check_empty(struct rig *r);

#endif
