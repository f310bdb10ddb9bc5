/*
 * role: what every process of the daemon does in the same order: receive from main what it may use
 * (descriptors and its part of the configuration), enter its sandbox, start, run its loop; later:
 * reload, new peers, a new log, stop.  The process ends when its channel to main closes.
 */
#ifndef IPC_ROLE_H
#define IPC_ROLE_H

#include <event2/event.h>
#include <sys/queue.h>

#include "base/sandbox.h"
#include "conf/conf.h"
#include "ipc/request.h"
#include "ipc/role_file.h"
#include "ipc/role_peers.h"

/* The administrator accepts, for this start, that parts of the spool cannot be read. */
enum { GRANT_SPOOL_DAMAGED = 1, GRANT_STATE_NEW = 1 };

/* When the descriptor of a grant was lost on its way, a role that has not started ends, and is
 * started again; one that has started keeps what it has, and main sends all again.  Only for
 * GRANT_METRICS neither happens. */
enum role_grant {
	GRANT_LISTENER,    /* index: of conf->listen; fd: listening socket */
	GRANT_CERTIFICATE, /* index: of conf->tls; fd: the certificate file */
	GRANT_PRIVATE_KEY, /* index: of conf->tls; fd: the key file */
	GRANT_TICKET_KEY,  /* name: 64 bytes, equal in all submission processes */
	/* fd: memfd of all submission processes, see submission/client_counts.h; index: the region
	 * of this process, which main wipes when it has ended */
	GRANT_CLIENTS,
	GRANT_SPOOL,       /* index: 0 or GRANT_SPOOL_DAMAGED; fd: the spool directory */
	GRANT_STATE,       /* index: 0 or GRANT_STATE_NEW; fd: the state directory */
	GRANT_ADMIN,       /* fd: listening unix socket of the tool */
	GRANT_HELP_DESK,   /* name: id of the group help_desk_group; empty: there is none */
	GRANT_FILE,        /* name: as configured; fd: a small file, see role_file */
	GRANT_METRICS,     /* fd: memfd of this process, see base/metrics.h; taken by role_run */
};

/* Exit statuses of a role, as in sysexits.h.  Main restarts a role after each of them.  Only before
 * the daemon has been ready for the first time do ROLE_EXIT_FORBIDDEN and ROLE_EXIT_CONFIG end the
 * daemon with the same status, because a restart does not help then. */
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
	struct conf *conf;         /* the newest; take a reference to use it longer */
	struct id_source ids;      /* from START on */
	bool is_thread;            /* sallyportd -d: all roles in one process, no sandbox */
	void *state;               /* owned by the role */
	bool takes_peers;          /* after the sandbox; before, peers wait in `waiting` */
	bool is_started;
	bool is_stopping;
	bool is_ending;            /* no more messages are handled */
	bool lacks_peer;           /* a channel came without its descriptor, which is logged */
	bool awaits_grants;        /* one was lost: none is taken before main sends all again */
	struct role_files files;
	struct role_peers waiting;
};

struct role_spec {
	const char *name;
	enum conf_role conf;       /* its keys */
	struct sandbox sandbox;    /* paths may be completed by `prepare` */
	/* Everything may be NULL except start.  In order: */
	/* grants, before and after start; the function owns fd; strings of the message are valid
	 * during the call */
	void (*grant)(struct role *r, const struct message_grant *grant, int fd);
	/* the last step before the sandbox: opens what libraries would open later; may extend
	 * *sandbox */
	void (*prepare)(struct role *r, struct sandbox *sandbox);
	/* in the sandbox, before and after start; the function owns fd.  What a peer sent before
	 * START waits in the socket: the loop reads it after start */
	void (*peer)(struct role *r, struct role_peer peer, int fd);
	/* in the sandbox; 0, or what role_refuse returned; -1: as ROLE_EXIT_LATER, logged */
	int (*start)(struct role *r);
	/* r->conf is the new one; before is the old one */
	void (*reload)(struct role *r, const struct conf *before);
	/* after start: other messages of main; the descriptor stays the caller's */
	void (*receive)(struct role *r, const struct channel_packet *p);
	/* finish within drain_ms, then role_stopped(); NULL: stops at once */
	void (*stop)(struct role *r, int64_t drain_ms);
	/* the newest id time, sent to main with READY (queue) */
	int64_t (*newest_ms)(struct role *r);
	/* frees r->state, so that -d ends without leaks */
	void (*end)(struct role *r);
};

/* Runs a role on its channel to main, from start to end; returns the exit status. */
int role_run(const struct role_spec *spec, enum role_kind kind, unsigned index, int main_fd,
    bool is_thread);
/* Ends the loop of this role. */
void role_stopped(struct role *r);

/* Reports why this role cannot start: one line in the log, and a message to main.  Returns the exit
 * status, which `start` returns in turn.  Once for each start. */
int role_refuse(struct role *r, int exit_status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Every role calls it when the channel to a peer is lost or closed, except when the role closes it
 * because it stops or because main has sent a new one.  Main then connects the two again if both
 * are alive. peer: as it came with the channel that was lost. */
void role_peer_lost(struct role *r, struct role_peer peer);

/* Reports an event to main, which sends a notice to the postmaster unless it has done so recently.
 * The event is in the log already. */
void role_alert(struct role *r, enum notice_kind kind, struct str object, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* What was reported about that object, up to its first '\n', is over. */
void role_alert_over(struct role *r, enum notice_kind kind, struct str object, const char *format,
    ...) __attribute__((format(printf, 4, 5)));

/* The text of a file in the configuration that main opened, wherever it is; p NULL: it could not be
 * read.  Valid in prepare and in reload: copy what is needed later. */
struct str role_file(const struct role *r, struct str name);

/* The name of the role, for the log. */
const char *role_name(enum role_kind kind);
/* Identifies this build: two ends with different builds do not communicate. */
struct str role_build(void);

#endif
