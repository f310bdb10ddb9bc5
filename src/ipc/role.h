/*
 * role: what every process of the daemon does in the same visible order: take what it may hold
 * (descriptors and its part of the configuration, from main), enter its sandbox, start, loop;
 * later: reload, new peers, a new log, stop.  It ends when its channel to main closes.
 */
#ifndef IPC_ROLE_H
#define IPC_ROLE_H

#include <event2/event.h>
#include <sys/queue.h>

#include "base/sandbox.h"
#include "conf/conf.h"
#include "ipc/channel.h"

enum role_kind {
	ROLE_MAIN, ROLE_KEYS, ROLE_AUTH, ROLE_WORKER, ROLE_SUBMISSION, ROLE_QUEUE, ROLE_RELAY,
	ROLE_CONTROL, ROLE_KINDS
};

/* The administrator accepts, for this start, that parts of the spool cannot be read. */
enum { GRANT_SPOOL_DAMAGED = 1, GRANT_STATE_NEW = 1 };

/* What has a descriptor that was lost on the way ends the role, so that it is given all anew;
 * GRANT_METRICS alone does not. */
enum role_grant {
	GRANT_LISTENER,    /* index: of conf->listen; fd: listening socket */
	GRANT_CERTIFICATE, /* index: of conf->tls; fd: the certificate file */
	GRANT_PRIVATE_KEY, /* index: of conf->tls; fd: the key file */
	GRANT_TICKET_KEY,  /* name: 64 bytes, equal in all submission processes */
	GRANT_CLIENTS,     /* fd: memfd of all submission processes, see submission/client_counts.h;
	                    * index: the region of this one, which main wipes when it has died */
	GRANT_SPOOL,       /* index: 0 or GRANT_SPOOL_DAMAGED; fd: the spool directory */
	GRANT_STATE,       /* index: 0 or GRANT_STATE_NEW; fd: the state directory */
	GRANT_ADMIN,       /* fd: listening unix socket of the tool */
	GRANT_HELP_DESK,   /* name: number of the group help_desk_group; empty: there is none */
	GRANT_FILE,        /* name: as configured; fd: a small file, see role_file */
	GRANT_METRICS,     /* fd: memfd of this process, see base/metrics.h; taken by role_run */
};

/* Exit statuses of a role, as in sysexits.h.  Main starts a role again after each of them; only
 * before the daemon has been ready for the first time do ROLE_EXIT_FORBIDDEN and ROLE_EXIT_CONFIG
 * end the daemon with the same status, because a restart cures neither. */
enum {
	ROLE_EXIT_OK = 0, ROLE_EXIT_BUG = 70, ROLE_EXIT_LATER = 75, ROLE_EXIT_FORBIDDEN = 77,
	ROLE_EXIT_CONFIG = 78,
};

enum { ROLE_INDEX_MAX = 64 };

struct role {
	const struct role_spec *spec;
	enum role_kind kind;
	unsigned index;            /* which of several */
	struct event_base *base;
	struct channel *main;
	struct conf *conf;         /* the newest; keep a reference to go on with it */
	struct id_source ids;      /* from START on */
	bool is_thread;            /* sallyportd -d: all roles in one process, no sandbox */
	void *state;               /* the role's own */
	bool takes_peers;          /* from the sandbox on; before, they wait here */
	bool is_started;
	bool is_stopping;
	bool is_ending;            /* nothing more is heard */
	SLIST_HEAD(, role_file) files;
	STAILQ_HEAD(, role_waiting) waiting;
};

/* The other end of a channel that main gave: which role, which of several, and the number of the
 * pair.  Whoever keeps the channel keeps this beside it. */
struct role_peer {
	enum role_kind kind;
	unsigned index;
	uint32_t number;
};

struct role_spec {
	const char *name;
	enum conf_role conf;       /* its keys */
	struct sandbox sandbox;    /* paths may be completed by `prepare` */
	/* Everything may be NULL but start.  In order: */
	/* grants, before and after start; fd belongs to the callee; the message's strings are
	 * transient */
	void (*grant)(struct role *r, const struct message_grant *grant, int fd);
	/* last act before the sandbox: opens what libraries open late; may add to *sandbox */
	void (*prepare)(struct role *r, struct sandbox *sandbox);
	/* in the sandbox, before and after start; fd belongs to the callee.  What a peer said
	 * before START waits in the socket: the loop reads it after start */
	void (*peer)(struct role *r, struct role_peer peer, int fd);
	/* in the sandbox; 0, or what role_refuse returned; -1: as ROLE_EXIT_LATER, logged */
	int (*start)(struct role *r);
	/* r->conf is new; the old one is given */
	void (*reload)(struct role *r, const struct conf *before);
	/* once started: what main says beside all this; the descriptor stays the caller's */
	void (*hear)(struct role *r, const struct channel_packet *p);
	/* finish within drain_ms, then role_stopped(); NULL: stops at once */
	void (*stop)(struct role *r, int64_t drain_ms);
	/* newest id time known, told to main with READY (queue) */
	int64_t (*newest_ms)(struct role *r);
	/* gives back r->state, so that -d ends without leaks */
	void (*end)(struct role *r);
};

/* The whole life of a role on its channel to main; returns the exit status. */
int role_run(const struct role_spec *spec, enum role_kind kind, unsigned index, int main_fd,
    bool is_thread);
/* The loop of this role ends now. */
void role_stopped(struct role *r);

/* Why this role cannot start: one line in the log, and told to main.  Returns the exit status,
 * which `start` returns in turn.  Once for each start. */
int role_refuse(struct role *r, int exit_status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* To be called by each role when the channel to a peer is lost or given up, unless the role closes
 * it because it stops or because main has sent a new one: main joins the two anew if both live.
 * peer: as it came with the channel that was lost. */
void role_peer_lost(struct role *r, struct role_peer peer);

/* For main, which tells the postmaster where it has not done so lately.  What it says is in the log
 * already. */
void role_alert(struct role *r, enum notice_kind kind, struct str object, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The text of a file that the configuration names and main could open, wherever it lies; p NULL: it
 * could not be read.  Valid in prepare and in reload: what is needed later is to be kept. */
struct str role_file(const struct role *r, struct str name);

const char *role_name(enum role_kind kind);
/* Identifies this build: two ends that differ do not talk. */
struct str role_build(void);

#endif
