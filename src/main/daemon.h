/*
 * daemon: what main knows.  Main reads the configuration, opens what the roles may hold, starts
 * them, watches them and hands round new ends when one is replaced.  It never sees a byte of the
 * network.
 */
#ifndef MAIN_DAEMON_H
#define MAIN_DAEMON_H

#include <event2/event.h>
#include <pthread.h>
#include <sys/types.h>

#include "base/metrics.h"
#include "conf/conf.h"
#include "ipc/role.h"
#include "main/instance_slots.h"
#include "net/tls_credentials.h"

enum {
	INSTANCE_COUNT_MAX = 64,
	SUBMISSION_MAX = 32,
	LISTEN_MAX = 16,
	EXIT_USAGE = 64, EXIT_OS = 71, EXIT_IO = 74, EXIT_LATER = 75, EXIT_NOT_ALLOWED = 77,
	EXIT_CONFIG = 78,
	DAEMON_REASON_BYTES = 512,
	INSTANCE_ABANDONED_MAX = 8, /* processes of one instance that do not end */
};

enum instance_state { INSTANCE_DOWN, INSTANCE_STARTING, INSTANCE_READY, INSTANCE_STOPPING };

struct daemon;
struct watch_files;
struct watch_spool;
struct notices;
struct liveness;
struct logger;
struct role_link;
struct resources;

struct instance {
	struct daemon *daemon;
	enum role_kind kind;
	unsigned index;
	enum instance_state state;
	struct channel *channel;
	pid_t pid;               /* process mode */
	pthread_t thread;        /* -d */
	int thread_fd;           /* -d: the role's end */
	int slot;                /* part of ids and region of the client table; -1: has none */
	uint64_t incarnation;    /* which start of all this is; a new process has a new one */
	int64_t started_ms;
	unsigned failures;       /* in a row */
	unsigned restarts;
	struct event *again;     /* back-off */
	const struct metrics_region *region; /* what it says of its work; NULL: nothing */
	/* signs of life; times are those of the liveness clock, see main/liveness.h */
	uint32_t ping_number;    /* the last one sent */
	int64_t next_ping_ms;
	bool is_asked;           /* no answer to it yet */
	bool is_told_to_start;   /* START was sent */
	uint64_t progress;       /* of its region, as last seen */
	int64_t sign_ms;         /* of the last sign of life */
	int64_t ended_ms;        /* SIGABRT was sent; 0: not */
	bool is_killed;          /* SIGKILL was sent: after SIGABRT, or by the stop */
	bool is_told_stuck;      /* the log has that it does not end and nothing replaces it */
	pid_t left[INSTANCE_ABANDONED_MAX]; /* given up: SIGKILL has not ended them yet; 0: none */
	char refusal[DAEMON_REASON_BYTES]; /* why its last start failed, in its own words */
};

enum { OS_USER_NAME_BYTES = 64 };

struct os_user {
	uid_t uid;
	gid_t gid;
	char name[OS_USER_NAME_BYTES]; /* as a command takes it: "sallyport-queue", "1000" */
};

struct daemon {
	const char *config_path;
	struct conf *conf;
	uint32_t generation;     /* of conf: 0, one more with each reload */
	int64_t started_ms;      /* monotonic */
	int64_t loaded_ms;       /* clock_ms: when conf became the one that holds */
	bool in_threads;
	bool accepts_damage;     /* of the spool, until the queue is ready for the first time */
	struct event_base *base;
	struct instance instances[INSTANCE_COUNT_MAX];
	unsigned instance_count;
	struct os_user identities[ROLE_KINDS];
	int exe_fd;
	bool is_first_start;     /* an account store may be made; until auth is ready */
	int run_fd;              /* the run directory */
	int run_lock_fd;         /* held as long as the daemon lives */
	int spool_fd, state_fd, admin_fd, clients_fd;
	struct resources *offer; /* what is open for the roles; a crash loses no waiting client */
	unsigned submission_count;
	unsigned char ticket_key[TLS_TICKET_KEY_BYTES];
	uint64_t log_secret;
	struct logger *logger;   /* NULL with -d: threads write for themselves */
	struct instance_slots slots;
	uint64_t incarnations;
	bool was_ready;          /* all roles were ready once */
	struct liveness *liveness;
	struct role_link *joints;
	uint32_t joint_numbers;
	int64_t floor_ms;        /* newest id time in the spool; -1: the queue has not said */
	int stage;               /* of stopping; -1: running */
	bool stops_at_once;      /* SIGTERM came again */
	unsigned ended_early;    /* processes that were killed while stopping, or left behind */
	int exit_status;
	struct event *signals[5];
	uint64_t files_print;    /* of certificate files, before they were opened at the start */
	struct watch_files *watch;     /* of certificate files */
	struct watch_spool *spool_watch; /* of the path of the spool */
	struct notices *notices; /* to the postmaster; NULL: there are none */
	struct event *stop_limit;
};

#endif
