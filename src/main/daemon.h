/*
 * daemon: the state of the main process.  Main reads the configuration, opens the descriptors that
 * the roles use, starts the roles, supervises them, and replaces the channels of a role that is
 * started again.  It never reads data from the network.
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
	INSTANCE_COUNT_MAX = 128,
	SUBMISSION_MAX = 32,
	LISTEN_MAX = 16,
	EXIT_USAGE = 64, EXIT_OS = 71, EXIT_IO = 74, EXIT_LATER = 75, EXIT_NOT_ALLOWED = 77,
	EXIT_CONFIG = 78,
	DAEMON_REASON_BYTES = 512,
	INSTANCE_ABANDONED_MAX = 8, /* abandoned processes of one instance at a time */
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
	pid_t pid;                  /* process mode */
	pthread_t thread;           /* -d */
	int thread_fd;              /* -d: the role's end */
	int slot;                   /* part of ids and region of the client table; -1: has none */
	/* number of this start among all starts; a new process has a new one */
	uint64_t incarnation;
	int64_t started_ms;
	unsigned failures;          /* in a row */
	unsigned restarts;
	struct event *restart_timer; /* starts the next process after the pause */
	/* its counters and its current work; NULL: not running */
	const struct metrics_region *region;
	/* liveness; times are those of the liveness clock, see main/liveness.h */
	uint32_t ping_number;       /* the last one sent */
	int64_t next_ping_ms;
	bool awaits_pong;           /* the last PING has no answer yet */
	bool is_start_sent;
	uint64_t progress;          /* the progress counter of its region, as last read */
	int64_t sign_ms;            /* of the last answer or progress */
	int64_t abort_sent_ms;      /* 0: SIGABRT was not sent */
	int64_t killed_ms;          /* when the broker asked for SIGKILL; 0: it did not */
	bool is_killed;             /* SIGKILL was sent, for whatever reason */
	bool is_stuck_logged;       /* it is logged that it does not end and is not replaced */
	pid_t abandoned[INSTANCE_ABANDONED_MAX]; /* not ended by SIGKILL yet; 0: none */
	struct {
		struct event *timer;  /* NULL before it is needed first */
		uint64_t incarnation; /* which process has lost a grant */
		int64_t sent_ms;      /* monotonic; when all was last sent again */
		unsigned failures;    /* in a row */
	} renewal;
	char refusal[DAEMON_REASON_BYTES]; /* why its last start failed, from its REFUSED */
};

enum { OS_USER_NAME_BYTES = 64 };

struct os_user {
	uid_t uid;
	gid_t gid;
	char name[OS_USER_NAME_BYTES]; /* as commands take it: "sallyport-queue", "1000" */
};

struct daemon {
	const char *config_path;
	struct conf *conf;
	uint32_t generation;        /* of conf: 0 at the start, one more with each reload */
	int64_t started_ms;         /* monotonic */
	int64_t loaded_ms;          /* clock_ms, when conf came into force */
	bool in_threads;
	bool accepts_damage;        /* of the spool; until the queue is ready for the first time */
	struct event_base *base;
	struct instance instances[INSTANCE_COUNT_MAX];
	unsigned instance_count;
	struct os_user identities[ROLE_KINDS];
	int exe_fd;
	bool is_first_start;        /* an account store may be created; until auth is ready */
	int run_fd;                 /* the run directory */
	int run_lock_fd;            /* locked as long as the daemon runs */
	int spool_fd, state_fd, admin_fd, clients_fd;
	/* open for the roles; a client that waits for accept(2) survives the crash of a role */
	struct resources *resources;
	unsigned submission_count;
	unsigned char ticket_key[TLS_TICKET_KEY_BYTES];
	uint64_t log_secret;
	struct logger *logger;      /* NULL with -d: threads write to the log themselves */
	struct instance_slots slots;
	uint64_t incarnations;
	uint64_t ended_counts[METRIC_COUNT]; /* the counters of all processes that have ended */
	bool was_ready;             /* all roles were ready once */
	struct liveness *liveness;
	struct role_link *links;
	uint32_t link_numbers;
	bool links_fail;            /* no channel could be made, which is logged */
	/* newest id time in the spool; -1: the queue has not reported it */
	int64_t floor_ms;
	int stage;                  /* stage of the stop; -1: running */
	bool stops_at_once;         /* a second SIGTERM was received */
	unsigned ended_early;       /* processes that the stop killed or abandoned */
	int exit_status;
	struct event *signals[5];
	uint64_t files_fingerprint; /* of certificate files, taken before the first open */
	struct watch_files *watch;
	struct watch_spool *spool_watch;
	struct notices *notices;    /* mail to the postmaster; NULL: there is none */
	struct event *stop_limit;
};

#endif
