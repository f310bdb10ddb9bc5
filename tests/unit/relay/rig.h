/*
 * rig: runs the role relay in a thread, and acts as its main, its queue and its control.
 */
#ifndef UNIT_RELAY_RIG_H
#define UNIT_RELAY_RIG_H

#include <pthread.h>
#include <sys/types.h>

#include "ipc/role.h"

enum { RIG_RESULTS_MAX = 2000, RIG_WAIT_MS = 90000 };

struct rig_result {
	struct smtp_status status;
	uint64_t attempt_id;
	struct msgid id;
	uint32_t recipient;
	uint16_t port;
	bool is_last, dsn_passed_on;
	char reason[20], host[64], address[64], tls[40];
};

struct rig {
	struct event_base *base;
	struct channel *main, *queue, *control;
	struct fault_channel *faults; /* between relay and the queue; NULL: a direct channel */
	pthread_t thread;
	size_t result_count, running_count, row_count;
	unsigned caught_up;
	bool is_ready, is_stopped;
	struct rig_result results[RIG_RESULTS_MAX];
	/* the answer to the last request */
	bool has_destination, is_done;
	struct conf *conf; /* by which the test decides destinations, as the queue does */
	char destination[400], rows[4000], done_text[400];
	struct smtp_status destination_status;
	enum request_end destination_end;
	int exit_code;
};

struct rig_mail {
	uint64_t attempt_id;
	const char *domain;
	const char *to[8];         /* NULL-terminated */
	const char *header, *body; /* NULL: a short default */
	size_t file_bytes;         /* > 0: a body of this size in a file */
	bool smtputf8;
	bool has_facts;            /* the envelope has the facts, so that the body is not scanned */
};

/* The content of hosts(5) and resolv.conf(5) for relay. */
extern const char *rig_hosts, *rig_resolv_conf;

struct rig *rig_new(const char *conf);
/* Sends STOP to the role, with this time for attempts that are in a transaction. */
void rig_stop(struct rig *r, uint32_t drain_ms);
/* Stops the role and waits for its thread. */
void rig_free(struct rig **r);
/* Sends a configuration, and before it the files that it names. */
void rig_configure(struct rig *r, const char *conf);
/* Closes the channel of the queue, and connects a new queue. */
void rig_new_queue(struct rig *r);
/* As rig_new_queue, with r->faults in between. */
void rig_new_queue_with_faults(struct rig *r);
void rig_deliver(struct rig *r, const struct rig_mail *m);
/* Sends the message as it is, valid or not. */
void rig_send(struct rig *r, const struct message_deliver *m);
/* Waits until this many results have come; false: they did not come. */
bool rig_wait(struct rig *r, size_t results);
void rig_stored(struct rig *r, size_t index);
void rig_ask_destination(struct rig *r, const char *domain);
/* The next destinations are decided by this configuration, which relay does not get. */
void rig_decide_by(struct rig *r, const char *conf);
void rig_test_route(struct rig *r, const char *address);
/* Runs the loop for this time. */
void rig_idle(struct rig *r, int ms);

/* A listening socket on 127.0.0.1; *port_out: its port. */
int rig_listen(unsigned *port_out);

/* Starts a child process. port_out (may be NULL): waits for its line "listening N". */
pid_t rig_run(const char *command, unsigned *port_out);
/* Sends SIGTERM; text (200 bytes, may be NULL) gets the output. */
void rig_end(pid_t pid, char *text);

/* Runs a command and returns its exit status. */
int rig_do(const char *command);

/* The directory of the test. */
extern char rig_dir[64];
void rig_set_up(void);
void rig_tear_down(void);
/* Starts tests/support/sink, which stores its mail in rig_dir. */
pid_t rig_sink(const char *options, unsigned *port);
void rig_has_file(const char *name, const char *expected);
long rig_file_bytes(const char *name);
void rig_result_is(const struct rig_result *r, unsigned code, const char *reason);

#endif
