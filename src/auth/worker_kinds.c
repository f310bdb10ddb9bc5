/*
 * worker_kinds: the rows, and the functions that they name.
 */
#include "auth/worker_kinds.h"

#include "auth/auth.h"

/* ---- passwords ---- */

static unsigned
count_password_workers(const struct conf *conf)
{
	return (unsigned)conf->auth.workers;
}

static bool
is_valid_check_answer(enum message_type type, const union message *answer)
{
	const struct message_check_answer *m = &answer->check_answer;

	(void)type;
	if (m->outcome == AUTH_OK)
		return m->key.n == SCRAM_SECRET_KEY_BYTES;
	return (m->outcome == AUTH_FAIL || m->outcome == AUTH_TEMPFAIL) && m->key.n == 0;
}

/* ---- back ends ---- */

static unsigned
count_one_worker(const struct conf *conf)
{
	(void)conf;
	return 1;
}

static bool
is_valid_account(const struct message_account *m)
{
	struct scram_secret secret;

	if (m->result == AUTH_BACKEND_FOUND || m->result == AUTH_BACKEND_NONE)
		return m->name.n > 0 && m->name.n <= CLAIMED_USER_MAX &&
		    scram_secret_parse(m->secret, &secret);
	return m->result <= AUTH_BACKEND_BROKEN && m->name.n <= CLAIMED_USER_MAX &&
	    m->secret.n == 0;
}

static bool
is_valid_backend_answer(enum message_type type, const union message *answer)
{
	switch (type) {
	case MESSAGE_ACCOUNT:
		return is_valid_account(&answer->account);
	case MESSAGE_ACCOUNT_DONE:
		return answer->account_done.target.n <= CLAIMED_USER_MAX;
	default:
		return type == MESSAGE_USERS_FOUND;
	}
}

/* ---- the table ---- */

enum { OPEN_MS = 3000 }; /* opening the store may wait two seconds for its lock */

const struct worker_kind worker_kinds[WORKER_KINDS] = {
    [WORKER_KIND_PASSWORD] = {.role = ROLE_WORKER,
	.spec = &worker_role,
	.count = count_password_workers,
	.task = "a check",
	.is_valid = is_valid_check_answer},
    [WORKER_KIND_ACCOUNTS] = {.role = ROLE_ACCOUNTS,
	.spec = &accounts_role,
	.backend = &accounts_backend,
	.count = count_one_worker,
	.more_ms = OPEN_MS,
	.has_state_directory = true,
	.task = "a request",
	.is_valid = is_valid_backend_answer},
};

const struct worker_kind *
worker_kind_of(enum role_kind role)
{
	for (size_t k = 0; k < WORKER_KINDS; k++)
		if (worker_kinds[k].role == role)
			return &worker_kinds[k];
	return NULL;
}

int64_t
worker_kind_deadline_ms(const struct worker_kind *kind, const struct conf *conf)
{
	return conf->auth.step_timeout_ms + kind->more_ms;
}
