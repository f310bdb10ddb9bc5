/* rig: the test acts as the worker of the accounts. */
#include "unit/auth/rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/socket.h>

#include "auth/auth_backend.h"

enum { ITERATIONS = 4096 };

static void
on_backend_request(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct rig *r = arg;
	struct rig_request *q = &r->requests[r->request_count % RIG_CHECKS_MAX];
	struct str name = p->type == MESSAGE_LOOK_UP ? p->message->look_up.name : STR("");

	(void)c;
	if (p->type == MESSAGE_HELLO)
		return;
	if (p->type == MESSAGE_ACCOUNT_COMMAND)
		name = p->message->admin.verb;
	*q = (struct rig_request){.call = p->call, .type = p->type};
	snprintf(q->name, sizeof q->name, "%.*s", STR_ARG(name));
	r->request_count++;
}

static void
on_fake_accounts_lost(struct channel *c, void *arg)
{
	struct rig *r = arg;

	(void)c;
	channel_free(&r->fake_accounts);
}

void
rig_fake_accounts(struct rig *r)
{
	int ends[2];

	rig_kill_accounts(r);
	channel_free(&r->fake_accounts);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	rig_connect(r, ROLE_ACCOUNTS, ends[1]);
	r->fake_accounts =
	    channel_new(r->base, ends[0], on_backend_request, on_fake_accounts_lost, r);
}

void
rig_answer_account(struct rig *r, unsigned request, uint8_t result, const char *password)
{
	struct rig_request *q = &r->requests[request];
	char text[SCRAM_SECRET_TEXT_BYTES] = "";
	struct message_account m = {.result = result, .name = str_of(q->name)};
	struct scram_secret s;

	if (password) {
		cr_assert(scram_secret_make(str_of(password), ITERATIONS, &s));
		scram_secret_text(&s, text);
	}
	m.secret = str_of(text);
	cr_assert_eq(channel_answer(r->fake_accounts, q->call, MESSAGE_ACCOUNT, &m, -1), 0);
}
