#include "unit/ipc/channel_end.h"

void
end_on_packet(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct end *e = arg;
	struct message_status v = {.status = smtp_status_make(250, "2.0.0", "ok")};

	e->received++;
	e->last_call = p->call;
	e->last_fd = p->fd;
	e->is_fd_lost = p->is_fd_lost;
	if (p->type == MESSAGE_AUTH_STEP) {
		e->text = p->message->auth_step.response.p;
		cr_assert(*e->text);
	}
	if (e->answers)
		cr_assert_eq(channel_answer(c, p->call, MESSAGE_STATUS, &v, -1), 0);
	if (e->frees)
		channel_free(&e->channel);
	if (e->received == e->stop_at)
		event_base_loopbreak(e->base);
}

void
end_on_lost(struct channel *c, void *arg)
{
	struct end *e = arg;

	(void)c;
	e->lost++;
	channel_free(&e->channel);
	event_base_loopbreak(e->base);
}

void
end_on_answer(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct end *e = arg;

	cr_assert_eq(p != NULL, end == REQUEST_ANSWERED);
	if (p)
		e->answered++;
	else
		e->unanswered++;
	if (e->answered == e->stop_at)
		event_base_loopbreak(e->base);
}

struct event_base *
end_pair(struct end *a, struct end *b)
{
	struct event_base *base = event_base_new();
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	a->base = b->base = base;
	a->fd = fds[0];
	b->fd = fds[1];
	a->channel = channel_new(base, fds[0], end_on_packet, end_on_lost, a);
	b->channel = channel_new(base, fds[1], end_on_packet, end_on_lost, b);
	return base;
}

void
end_finish(struct event_base *base, struct end *a, struct end *b)
{
	channel_free(&a->channel);
	channel_free(&b->channel);
	event_base_free(base);
}

struct request *
end_commit(struct end *e)
{
	struct message_commit m = {.envelope = STR("e"), .header = STR("h"), .body = STR("b")};

	return ask_pooled(e->channel, MESSAGE_COMMIT, &m, end_on_answer, e);
}
