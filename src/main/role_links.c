/*
 * role_links: the table below has all channels between roles.  A submission process has channels to
 * two of the keys processes, so that it can sign when one of them does not answer.
 */
#include "main/role_links.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "auth/worker_kinds.h"
#include "base/clock.h"
#include "base/error_text.h"
#include "base/log.h"
#include "base/mem.h"
#include "main/restart_backoff.h"

/* The pairs of linked roles, besides submission and keys, and besides auth and each kind of worker;
 * main has a channel to every role. */
static const struct role_link_kinds {
	enum role_kind a, b;
} link_kinds[] = {
    {ROLE_SUBMISSION, ROLE_AUTH},
    {ROLE_SUBMISSION, ROLE_QUEUE},
    {ROLE_QUEUE, ROLE_RELAY},
    {ROLE_CONTROL, ROLE_AUTH},
    {ROLE_CONTROL, ROLE_QUEUE},
    {ROLE_CONTROL, ROLE_RELAY},
};

struct role_link {
	struct role_link *next;
	struct instance *a, *b;
	uint64_t a_incarnation, b_incarnation; /* of the connected processes */
	uint32_t number;                       /* of the newest channel; 0: none */
	unsigned failures;                     /* in a row */
	int64_t joined_ms;
	struct event *retry_timer;
};

/* There are as many keys processes as submission processes: each has a first and a second one. */
static bool
are_neighbours(const struct instance *submission, const struct instance *keys)
{
	unsigned count = submission->daemon->submission_count;

	return keys->index == submission->index || keys->index == (submission->index + 1) % count;
}

static bool
role_link_is_wanted(const struct instance *a, const struct instance *b)
{
	if (a->kind == ROLE_SUBMISSION && b->kind == ROLE_KEYS)
		return are_neighbours(a, b);
	if (a->kind == ROLE_KEYS && b->kind == ROLE_SUBMISSION)
		return are_neighbours(b, a);
	if ((a->kind == ROLE_AUTH && worker_kind_of(b->kind)) ||
	    (b->kind == ROLE_AUTH && worker_kind_of(a->kind)))
		return true;
	for (size_t l = 0; l < sizeof link_kinds / sizeof *link_kinds; l++)
		if ((link_kinds[l].a == a->kind && link_kinds[l].b == b->kind) ||
		    (link_kinds[l].a == b->kind && link_kinds[l].b == a->kind))
			return true;
	return false;
}

static bool
role_link_is_current(const struct role_link *link)
{
	return link->a->channel && link->b->channel &&
	       link->a->incarnation == link->a_incarnation &&
	       link->b->incarnation == link->b_incarnation;
}

/* ---- sending channels ---- */

static bool
role_link_send_channel(
    const struct role_link *link, struct instance *to, const struct instance *other, int fd)
{
	struct message_peer m = {.role = (uint8_t)other->kind, .index = (uint8_t)other->index,
	    .number = link->number};
	bool is_sent = channel_send(to->channel, MESSAGE_PEER, &m, fd) == 0;

	close(fd);
	return is_sent;
}

static void role_link_retry(struct role_link *link);

/* All links fail for the same reason: one line until one succeeds. */
static void
role_link_failed(struct role_link *link, int error)
{
	struct daemon *d = link->a->daemon;

	if (!d->links_fail)
		log_error("no channel between %s %u and %s %u: %s; main tries again, and says "
			  "nothing about others before one can be made",
		    role_name(link->a->kind), link->a->index, role_name(link->b->kind),
		    link->b->index, error_text(error));
	d->links_fail = true;
	role_link_retry(link);
}

/* Sends a new channel to both; each replaces the channel that it has to the other one. */
static void
role_link_connect(struct role_link *link)
{
	int fds[2];
	bool is_given;

	link->a_incarnation = link->a->incarnation;
	link->b_incarnation = link->b->incarnation;
	link->joined_ms = clock_mono_ms();
	link->number = ++link->a->daemon->link_numbers;
	if (channel_pair(fds) != 0) {
		role_link_failed(link, errno);
		return;
	}
	link->a->daemon->links_fail = false;
	/* each end is sent, even if the other one could not be sent */
	is_given = role_link_send_channel(link, link->a, link->b, fds[0]);
	is_given &= role_link_send_channel(link, link->b, link->a, fds[1]);
	if (!is_given)
		role_link_retry(link);
}

static void
role_link_timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct role_link *link = arg;

	(void)fd;
	(void)what;
	if (!role_link_is_current(link) || link->a->daemon->stage >= 0)
		return;
	if (!link->a->daemon->links_fail)
		log_warn("%s %u and %s %u have lost their channel while both run: they get a new "
			 "one",
		    role_name(link->a->kind), link->a->index, role_name(link->b->kind),
		    link->b->index);
	role_link_connect(link);
}

static void
role_link_retry(struct role_link *link)
{
	struct timeval tv;

	if (evtimer_pending(link->retry_timer, NULL))
		return;
	if (clock_mono_ms() - link->joined_ms > RESTART_BACKOFF_STEADY_MS)
		link->failures = 0;
	tv = restart_backoff_timeval(link->failures++);
	event_add(link->retry_timer, &tv);
}

/* ---- all ---- */

static struct role_link *
role_link_between(struct instance *a, struct instance *b)
{
	struct daemon *d = a->daemon;
	struct role_link *link;

	for (link = d->links; link; link = link->next)
		if ((link->a == a && link->b == b) || (link->a == b && link->b == a))
			return link;
	link = MEM_NEW(struct role_link);
	*link = (struct role_link){.a = a, .b = b, .next = d->links};
	link->retry_timer = evtimer_new(d->base, role_link_timer_fired, link);
	if (!link->retry_timer)
		die("no timer");
	d->links = link;
	return link;
}

void
role_links_make(struct instance *i)
{
	struct daemon *d = i->daemon;

	for (unsigned n = 0; n < d->instance_count; n++) {
		struct instance *other = &d->instances[n];
		struct role_link *link;

		if (other == i || !other->channel || !role_link_is_wanted(i, other))
			continue;
		link = role_link_between(i, other);
		link->failures = 0;
		event_del(link->retry_timer);
		role_link_connect(link);
	}
}

void
role_links_lost(struct instance *from, const struct message_peer_lost *m)
{
	for (struct role_link *link = from->daemon->links; link; link = link->next) {
		const struct instance *other = link->a == from ? link->b : link->a;

		if ((link->a != from && link->b != from) || other->kind != m->role ||
		    other->index != m->index)
			continue;
		if (link->number == m->number && role_link_is_current(link))
			role_link_retry(link);
	}
}

void
role_links_free(struct daemon *d)
{
	struct role_link *link;

	while ((link = d->links)) {
		d->links = link->next;
		event_free(link->retry_timer);
		mem_free(link);
	}
}
