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
static const struct role_link_kinds {
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

struct role_link {
	struct role_link *next;
	struct instance *a, *b;
	uint64_t a_incarnation, b_incarnation; /* of the processes that were joined */
	uint32_t number;                       /* of the newest pair; 0: there is none */
	unsigned failures;                     /* in a row */
	int64_t joined_ms;
	struct event *again;
};

static bool
role_link_is_wanted(enum role_kind a, enum role_kind b)
{
	for (size_t l = 0; l < sizeof links / sizeof *links; l++)
		if ((links[l].a == a && links[l].b == b) || (links[l].a == b && links[l].b == a))
			return true;
	return false;
}

static bool
role_link_is_current(const struct role_link *j)
{
	return j->a->channel && j->b->channel && j->a->incarnation == j->a_incarnation &&
	    j->b->incarnation == j->b_incarnation;
}

/* ---- giving ---- */

static bool
role_link_send_channel(
    const struct role_link *j, struct instance *to, const struct instance *other, int fd)
{
	struct message_peer m = {.role = (uint8_t)other->kind, .index = (uint8_t)other->index,
	    .number = j->number};
	bool is_sent = channel_send(to->channel, MESSAGE_PEER, &m, fd) == 0;

	close(fd);
	return is_sent;
}

static void role_link_retry(struct role_link *j);

/* Each of the two replaces the channel that it has to the other. */
static void
role_link_connect(struct role_link *j)
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
		role_link_retry(j);
		return;
	}
	/* each end is given, also when the other one could not be */
	is_given = role_link_send_channel(j, j->a, j->b, fds[0]);
	is_given &= role_link_send_channel(j, j->b, j->a, fds[1]);
	if (!is_given)
		role_link_retry(j);
}

static void
role_link_timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct role_link *j = arg;

	(void)fd;
	(void)what;
	if (!role_link_is_current(j) || j->a->daemon->stage >= 0)
		return;
	log_warn("%s %u and %s %u have lost their channel while both run: they get a new one",
	    role_name(j->a->kind), j->a->index, role_name(j->b->kind), j->b->index);
	role_link_connect(j);
}

static void
role_link_retry(struct role_link *j)
{
	struct timeval tv;

	if (evtimer_pending(j->again, NULL))
		return;
	if (clock_mono_ms() - j->joined_ms > RESTART_BACKOFF_STEADY_MS)
		j->failures = 0;
	tv = restart_backoff_timeval(j->failures++);
	event_add(j->again, &tv);
}

/* ---- all ---- */

static struct role_link *
role_link_between(struct instance *a, struct instance *b)
{
	struct daemon *d = a->daemon;
	struct role_link *j;

	for (j = d->joints; j; j = j->next)
		if ((j->a == a && j->b == b) || (j->a == b && j->b == a))
			return j;
	j = MEM_NEW(struct role_link);
	*j = (struct role_link){.a = a, .b = b, .next = d->joints};
	j->again = evtimer_new(d->base, role_link_timer_fired, j);
	if (!j->again)
		die("no timer");
	d->joints = j;
	return j;
}

void
role_links_make(struct instance *i)
{
	struct daemon *d = i->daemon;

	for (unsigned n = 0; n < d->instance_count; n++) {
		struct instance *other = &d->instances[n];
		struct role_link *j;

		if (other == i || !other->channel || !role_link_is_wanted(i->kind, other->kind))
			continue;
		j = role_link_between(i, other);
		j->failures = 0;
		event_del(j->again);
		role_link_connect(j);
	}
}

void
role_links_lost(struct instance *from, const struct message_peer_lost *m)
{
	for (struct role_link *j = from->daemon->joints; j; j = j->next) {
		const struct instance *other = j->a == from ? j->b : j->a;

		if ((j->a != from && j->b != from) || other->kind != m->role ||
		    other->index != m->index)
			continue;
		if (j->number == m->number && role_link_is_current(j))
			role_link_retry(j);
	}
}

void
role_links_free(struct daemon *d)
{
	struct role_link *j;

	while ((j = d->joints)) {
		d->joints = j->next;
		event_free(j->again);
		mem_free(j);
	}
}
