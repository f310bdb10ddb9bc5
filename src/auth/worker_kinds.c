/*
 * worker_kinds: the rows, and the functions that they name.
 */
#include "auth/worker_kinds.h"

#include "auth/auth.h"
#include "auth/scram_secret.h"

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

/* ---- the table ---- */

const struct worker_kind worker_kinds[WORKER_KINDS] = {
    {.role = ROLE_WORKER,
	.spec = &worker_role,
	.count = count_password_workers,
	.task = "a check",
	.is_valid = is_valid_check_answer},
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
