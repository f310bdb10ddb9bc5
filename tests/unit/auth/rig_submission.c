/* rig: the test acts as submission: it starts logins, continues and cancels them. */
#include "unit/auth/rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "auth/auth.h"
#include "support/ask.h"

static void
on_auth_answer(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct rig_answer *a = arg;

	a->is_done = true;
	a->end = end;
	a->is_lost = !p;
	a->order = ++a->rig->answers;
	if (!p)
		return;
	a->outcome = p->message->auth_answer.outcome;
	a->status = p->message->auth_answer.status;
	a->from_cache = p->message->auth_answer.from_cache;
	a->challenge_n = p->message->auth_answer.challenge.n;
	memcpy(a->challenge, p->message->auth_answer.challenge.p, a->challenge_n);
	snprintf(a->user, sizeof a->user, "%.*s", STR_ARG(p->message->auth_answer.user));
}

void
rig_start_as(struct rig *r, const struct message_auth_start *m, struct rig_answer *out)
{
	*out = (struct rig_answer){.rig = r};
	(void)ask_pooled(r->submission, MESSAGE_AUTH_START, m, on_auth_answer, out);
}

void
rig_start(struct rig *r, uint64_t session, const char *mechanism, const struct str *initial,
    struct rig_answer *out)
{
	struct message_auth_start m = {.session = session, .mechanism = str_of(mechanism),
	    .has_initial = initial != NULL, .initial = initial ? *initial : STR(""),
	    .client = STR("203.0.113.7"), .binding = STR("0123456789abcdef0123456789abcdef"),
	    .port = 465, .tls = STR("TLSv1.3"), .hostname = STR("mx.test")};

	rig_start_as(r, &m, out);
}

void
rig_step(struct rig *r, uint64_t session, struct str response, struct rig_answer *out)
{
	struct message_auth_step m = {.session = session, .response = response};

	*out = (struct rig_answer){.rig = r};
	(void)ask_pooled(r->submission, MESSAGE_AUTH_STEP, &m, on_auth_answer, out);
}

void
rig_cancel(struct rig *r, uint64_t session)
{
	struct message_auth_cancel m = {.session = session};

	cr_assert_eq(channel_send(r->submission, MESSAGE_AUTH_CANCEL, &m, -1), 0);
}

unsigned
rig_login(struct rig *r, uint64_t session, const char *mechanism, struct str initial)
{
	struct rig_answer a;

	rig_start(r, session, mechanism, &initial, &a);
	rig_until(r, &a.is_done);
	return a.outcome == AUTH_CONTINUE ? 334 : a.status.code;
}

void
rig_step_expect(
    struct rig *r, uint64_t session, struct str response, unsigned code, const char *challenge)
{
	struct rig_answer a;

	rig_step(r, session, response, &a);
	rig_until(r, &a.is_done);
	if (challenge) {
		cr_assert_eq(a.outcome, AUTH_CONTINUE);
		cr_assert(str_eq(str_make(a.challenge, a.challenge_n), str_of(challenge)));
	} else {
		cr_assert_eq(a.status.code, code, "%u", a.status.code);
	}
}
