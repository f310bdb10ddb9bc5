/*
 * role_links: see the header.  The table below is the map of the daemon.
 */
#include "main/role_links.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "main/restart_backoff.h"

/* Who talks to whom; main talks to all. */
static const struct link {
	enum role_kind a, b;
} links[] = {
    {ROLE_SUBMISSION, ROLE_KEYS},
    {ROLE_SUBMISSION, ROLE_AUTH},
    {ROLE_SUBMISSION, ROLE_QUEUE},
    {ROLE_AUTH, ROLE_WORKER},
    {ROLE_QUEUE, ROLE_RELAY},
    {ROLE_CONTROL, ROLE_AUTH},
    {ROLE_CONTROL, ROLE_QUEUE},
    {ROLE_CONTROL, ROLE_RELAY},
};

struct joint {
	struct joint *next;
	struct instance *a, *b;
	uint64_t a_incarnation, b_incarnation; /* of the processes that were joined */
	uint32_t number;                       /* of the newest pair; 0: there is none */
	unsigned failures;                     /* in a row */
	int64_t joined_ms;
	struct event *again;
};

static bool
joint_is_linked(enum role_kind a, enum role_kind b)
{
	for (size_t l = 0; l < sizeof links / sizeof *links; l++)
		if ((links[l].a == a && links[l].b == b) || (links[l].a == b && links[l].b == a))
			return true;
	return false;
}

static bool
joint_is_current(const struct joint *j)
{
	return j->a->channel && j->b->channel && j->a->incarnation == j->a_incarnation &&
	    j->b->incarnation == j->b_incarnation;
}

/* ---- giving ---- */

static bool
joint_give(const struct joint *j, struct instance *to, const struct instance *other, int fd)
{
	struct message_peer m = {.role = (uint8_t)other->kind, .index = (uint8_t)other->index,
	    .number = j->number};
	bool is_sent = channel_send(to->channel, MESSAGE_PEER, &m, fd) == 0;

	close(fd);
	return is_sent;
}

static void joint_retry(struct joint *j);

/* Each of the two replaces the channel that it has to the other. */
static void
joint_make(struct joint *j)
{
	int fds[2];
	bool is_given;

	j->a_incarnation = j->a->incarnation;
	j->b_incarnation = j->b->incarnation;
	j->joined_ms = clock_mono_ms();
	j->number = ++j->a->daemon->joint_numbers;
	if (channel_pair(fds) != 0) {
		log_error("no channel between %s %u and %s %u: %s; main tries again",
		    role_name(j->a->kind), j->a->index, role_name(j->b->kind), j->b->index,
		    strerror(errno));
		joint_retry(j);
		return;
	}
	/* each end is given, also when the other one could not be */
	is_given = joint_give(j, j->a, j->b, fds[0]);
	is_given &= joint_give(j, j->b, j->a, fds[1]);
	if (!is_given)
		joint_retry(j);
}

static void
joint_again(evutil_socket_t fd, short what, void *arg)
{
	struct joint *j = arg;

	(void)fd;
	(void)what;
	if (!joint_is_current(j) || j->a->daemon->stage >= 0)
		return;
	log_warn("%s %u and %s %u have lost their channel while both run: they get a new one",
	    role_name(j->a->kind), j->a->index, role_name(j->b->kind), j->b->index);
	joint_make(j);
}

static void
joint_retry(struct joint *j)
{
	struct timeval tv;

	if (evtimer_pending(j->again, NULL))
		return;
	if (clock_mono_ms() - j->joined_ms > BACKOFF_STEADY_MS)
		j->failures = 0;
	tv = backoff_timeval(j->failures++);
	event_add(j->again, &tv);
}

/* ---- all ---- */

static struct joint *
joint_between(struct instance *a, struct instance *b)
{
	struct daemon *d = a->daemon;
	struct joint *j;

	for (j = d->joints; j; j = j->next)
		if ((j->a == a && j->b == b) || (j->a == b && j->b == a))
			return j;
	j = MEM_NEW(struct joint);
	*j = (struct joint){.a = a, .b = b, .next = d->joints};
	j->again = evtimer_new(d->base, joint_again, j);
	if (!j->again)
		die("no timer");
	d->joints = j;
	return j;
}

void
joints_make(struct instance *i)
{
	struct daemon *d = i->daemon;

	for (unsigned n = 0; n < d->instance_count; n++) {
		struct instance *other = &d->instances[n];
		struct joint *j;

		if (other == i || !other->channel || !joint_is_linked(i->kind, other->kind))
			continue;
		j = joint_between(i, other);
		j->failures = 0;
		event_del(j->again);
		joint_make(j);
	}
}

void
joints_lost(struct instance *from, const struct message_peer_lost *m)
{
	for (struct joint *j = from->daemon->joints; j; j = j->next) {
		const struct instance *other = j->a == from ? j->b : j->a;

		if ((j->a != from && j->b != from) || other->kind != m->role ||
		    other->index != m->index)
			continue;
		if (j->number == m->number && joint_is_current(j))
			joint_retry(j);
	}
}

void
joints_free(struct daemon *d)
{
	struct joint *j;

	while ((j = d->joints)) {
		d->joints = j->next;
		event_free(j->again);
		mem_free(j);
	}
}
