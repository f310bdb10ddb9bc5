/*
 * worker_kinds: the table of the kinds of workers. A worker is a process that does for the broker
 * what blocks, one request at a time. The table says for each kind how many there are, what main
 * starts and grants, how long a request may take, and which answers are valid. Everything else
 * about a kind is in the file of its role. Main, the broker and the pool act by this table, so a
 * new kind is one row here, its file, and the name of its process in ipc/role.h.
 */
#ifndef AUTH_WORKER_KINDS_H
#define AUTH_WORKER_KINDS_H

#include "auth/auth_backend.h"

struct worker_kind {
	enum role_kind role;
	const struct role_spec *spec; /* its sandbox, its start, its answers */
	const struct auth_backend *backend; /* NULL: it has no accounts */
	/* how many processes: at least 1; a change needs a restart */
	unsigned (*count)(const struct conf *conf);
	int more_ms;              /* a request may take auth.step_timeout and this */
	bool has_state_directory; /* main grants it GRANT_STATE */
	const char *task;         /* a request, for the log: "a check" */
	/* the answer has the right type; true: its values are within bounds */
	bool (*is_valid)(enum message_type type, const union message *answer);
};

enum { WORKER_KIND_PASSWORD, WORKER_KIND_ACCOUNTS, WORKER_KINDS };

extern const struct worker_kind worker_kinds[WORKER_KINDS];

/* The row of a role; NULL: the role is not a worker. */
const struct worker_kind *worker_kind_of(enum role_kind role);
/* The time after which a request has failed, and its worker is ended. */
int64_t worker_kind_deadline_ms(const struct worker_kind *kind, const struct conf *conf);

#endif
