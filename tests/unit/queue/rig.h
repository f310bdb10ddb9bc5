/* rig: the queue role in a process of its own; the test is main, submission, relay and control. */
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
/* Inside queue: { }: a deferred delivery is tried again after an hour, or after a second. */
extern const char rig_slow[], rig_quick[];

/* The simulated disk of the queue; shared with its process. */
struct rig_disk {
	atomic_bool blocks_reads;        /* no read of a message ends */
	atomic_uint reads_asked;    /* of the spool */
	atomic_uint reads;          /* of the disk */
	char unreadable[64];        /* EIO for reads with these words, in the envelope */
	char stuck[64];             /* reads with these words are blocked, but for */
	atomic_int reads_allowed;     /* so many */
	atomic_uint reads_blocked;          /* reads that were blocked so */
	char wrong[64];             /* reads with these words return wrong data */
	atomic_int wrong_reads;     /* so often */
	char unwritten[64];         /* writes into the log with these words are blocked */
	atomic_uint unwritten_blocked; /* writes that were blocked so */
	char unwritable[64]; /* EIO for writes into the log with these words */
	atomic_int failing_writes;  /* so often */
	char watched[64];           /* writes into the log with these words are counted */
	atomic_uint watched_writes;
	atomic_bool opens_nothing;  /* calls that open a nameless file are blocked */
	atomic_uint opens;          /* of nameless files */
	atomic_bool is_read_only;   /* EROFS for what is written */
	atomic_uint free_percent;   /* percent of free space, at first 80 */
	atomic_ullong total_bytes;  /* of so many bytes; 0: the size of the disk */
	atomic_bool is_space_stuck; /* a query for the free space is blocked */
};

struct rig_attempt {
	uint64_t number;
	uint64_t ticket;
	struct msgid id;
	uint32_t numbers[16];
	size_t count;
	uint32_t attempt;
	char next_hop[64];
	char sender[64];
	char to[64]; /* the first recipient */
	enum envelope_kind kind;
	char *header, *body; /* zero-terminated copies */
	size_t body_n;
};

struct rig {
	struct event_base *base;
	char directory[64];
	const char *queue_conf; /* inside queue: { } */
	const char *routes;     /* from a reload on; NULL: the default */
	bool keeps_contents; /* set before a start or a reload: the first attempt reads nothing */
	const char *limits;     /* of each user, from a reload on; NULL: the first ones */
	pid_t pid;
	struct rig_disk *disk;
	struct channel *main, *submission, *relay, *control;
	struct fault_channel *between; /* between the queue and submission; NULL: nothing */
	bool is_ready, is_stopped, is_ended;
	unsigned submission_index; /* of the next submission channel */
	uint32_t pairs;       /* channels given so far; the number of the last one */
	unsigned peers_lost;  /* reported by the queue */
	uint32_t last_lost;   /* the number of the last one */
	unsigned alerts;      /* sent to main */
	uint8_t alert_kind;
	char alert[2048];     /* the last: "OBJECT|TEXT" */
	unsigned ends_lost;   /* channels that the queue closed */
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
	bool is_caught_up; /* answers RUNNING_ASK at once */
	bool is_silent;    /* DESTINATION_ASK is counted, and not answered */
	bool refuses_destinations, sends_wrong_types;
	unsigned asked;
	unsigned cancels;
	uint64_t cancelled; /* the last one */
	bool is_forced;     /* of the last one */
	unsigned stored;
	struct message_result_stored stored_list[RIG_STORED_MAX];
	/* submission: the last answer */
	struct smtp_status answer;
	enum request_end end;
	unsigned answers, answers_ok, recalls;
	uint32_t tokens; /* lent by the last answer */
	char limit[512]; /* in the last answer */
	struct message_room room; /* the last one */
	unsigned rooms;
	struct msgid accepted[RIG_ATTEMPTS_MAX]; /* ids of the messages that were queued */
	unsigned accepted_count;
	int fd;
	/* control */
	char rows[RIG_ROWS_MAX][4096];
	size_t row_bytes[RIG_ROWS_MAX];
	unsigned row_count;    /* without the total */
	char total[256];
	size_t total_bytes;
	bool stalls_next;      /* the rows of the next command are not read */
	uint64_t stalled_call;     /* nor are those of this one */
	size_t stalled_bytes; /* bytes of its rows */
	unsigned stalled_ended;
	struct message_admin_done done;
	char done_text[256];
	unsigned dones;
};

/* Before rig_begin: the log of the queue goes to the file that is returned. */
int rig_keep_log(void);
/* The whole log. */
const char *rig_logged(int log);
/* Does one line of it contain both? */
bool rig_has_line(int log, const char *first, const char *second);
/* How often does the log contain these words? */
unsigned rig_count_words(int log, const char *words);

void rig_begin(struct rig *r, const char *queue_conf);
/* Starts a new process on the same spool; without relay. */
void rig_start(struct rig *r);
/* Main sends another configuration. */
void rig_reload(struct rig *r, const char *queue_conf);
/* The same without waiting. */
void rig_reload_soon(struct rig *r);
void rig_kill(struct rig *r);
/* With MESSAGE_STOP. */
void rig_stop(struct rig *r);
void rig_end(struct rig *r);

void rig_relay(struct rig *r, bool caught_up);
/* The answer to the queue's RUNNING_ASK. */
void rig_caught_up(struct rig *r);
void rig_relay_gone(struct rig *r);
void rig_submission(struct rig *r);
/* The same, with r->between on the way. */
void rig_submission_through(struct rig *r);
/* The number of open descriptors of the queue. */
unsigned rig_descriptors(struct rig *r);
void rig_until(struct rig *r, const unsigned *count, unsigned enough);
/* Runs the event loop for so long. */
void rig_wait(struct rig *r, int ms);

struct msgid rig_id(uint64_t n);
/* user alice, or the one before '/' in the sender; recipients end in NULL. Waits for the answer. */
struct smtp_status rig_commit(
    struct rig *r, struct msgid id, const char *sender, const char *const *to);
/* The same without waiting. */
void rig_commit_soon(struct rig *r, struct msgid id, const char *sender, const char *const *to);
/* The lent tokens are in r->tokens. */
struct smtp_status rig_lease(struct rig *r, const char *user, uint32_t wanted);
void rig_return(struct rig *r, const char *user, uint32_t tokens, bool is_all);
void rig_ask_file(struct rig *r, const struct message_spool_file *m);
/* The same without waiting. */
void rig_ask_file_soon(struct rig *r, const struct message_spool_file *m);
struct smtp_status rig_ask_commit(struct rig *r, const struct message_commit *m);
void rig_release(struct rig *r, struct msgid id);

/* Sends a result for the n-th recipient of the attempt. */
void rig_result(
    struct rig *r, const struct rig_attempt *attempt, size_t n, unsigned code, const char *reason);
void rig_results(
    struct rig *r, const struct rig_attempt *attempt, unsigned code, const char *reason);
/* Waits for the index-th attempt since the start. */
const struct rig_attempt *rig_attempt(struct rig *r, unsigned index);
/* The attempt for that domain, which has arrived already. */
const struct rig_attempt *rig_attempt_for(struct rig *r, const char *domain);
/* How many of the attempts deliver reports. */
unsigned rig_reports(const struct rig *r);

/* values: pairs that end in NULL.  Waits for the end. */
void rig_admin(struct rig *r, const char *verb, const char *const *values);
/* The same without waiting. */
void rig_admin_soon(struct rig *r, const char *verb, const char *const *values);
/* As control: rows of that command were read, or its client is gone. */
void rig_rows_taken(struct rig *r, uint64_t call, size_t bytes, bool is_gone);
void rig_control_gone(struct rig *r);
struct str rig_row(struct rig *r, unsigned row, const char *key);
/* All messages of the queue are settled, also after a kill. */
void rig_check_empty(struct rig *r);

#endif
