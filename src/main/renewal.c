/*
 * renewal: see the header.
 */
#include "main/renewal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "main/grants.h"
#include "main/instance.h"
#include "main/restart_backoff.h"

/* Certificates and keys are not among them. */
static bool
renewal_send_config_to(struct instance *i)
{
	return grants_give_log(i) && grants_give_files(i) && grants_give_help_desk(i) &&
	    grants_give_config(i) && grants_give_listeners(i);
}

void
renewal_send_config(struct daemon *d)
{
	for (unsigned n = 0; n < d->instance_count; n++)
		if (d->instances[n].channel && !renewal_send_config_to(&d->instances[n]))
			instance_force_restart(
			    &d->instances[n], "the new configuration could not be sent");
	renewal_send_certificates(d);
}

void
renewal_send_certificates(struct daemon *d)
{
	static const enum role_kind order[] = {ROLE_KEYS, ROLE_SUBMISSION};

	for (size_t o = 0; o < sizeof order / sizeof *order; o++)
		for (unsigned n = 0; n < d->instance_count; n++) {
			struct instance *i = &d->instances[n];

			if (i->kind == order[o] && i->channel && !grants_give_certificates(i))
				instance_force_restart(
				    i, "the new certificates could not be sent");
		}
}

void
renewal_send_files(struct daemon *d)
{
	for (unsigned n = 0; n < d->instance_count; n++) {
		struct instance *i = &d->instances[n];

		if (i->kind == ROLE_RELAY && i->channel &&
		    (!grants_give_files(i) || !grants_give_config(i)))
			instance_force_restart(i, "the changed files could not be sent");
	}
}

/* ---- a lost grant ---- */

static bool
renewal_send_all_to(struct instance *i)
{
	struct message_grants_again m = {0};

	if (channel_send(i->channel, MESSAGE_GRANTS_AGAIN, &m, -1) != 0 ||
	    !renewal_send_config_to(i))
		return false;
	return (i->kind != ROLE_KEYS && i->kind != ROLE_SUBMISSION) || grants_give_certificates(i);
}

static void
renewal_timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct instance *i = arg;

	(void)fd;
	(void)what;
	if (!i->channel || i->incarnation != i->renewal.incarnation || i->daemon->stage >= 0)
		return;
	i->renewal.sent_ms = clock_mono_ms();
	if (!renewal_send_all_to(i))
		instance_force_restart(i, "what it had lost could not be sent again");
}

void
renewal_repeat(struct instance *i)
{
	struct timeval tv;

	if (!i->renewal.timer)
		i->renewal.timer = evtimer_new(i->daemon->base, renewal_timer_fired, i);
	if (!i->renewal.timer)
		die("no timer");
	if (i->renewal.incarnation != i->incarnation ||
	    clock_mono_ms() - i->renewal.sent_ms > RESTART_BACKOFF_STEADY_MS)
		i->renewal.failures = 0;
	i->renewal.incarnation = i->incarnation;
	tv = restart_backoff_timeval(i->renewal.failures++);
	evtimer_add(i->renewal.timer, &tv);
}

void
renewal_free(struct instance *i)
{
	if (i->renewal.timer)
		event_free(i->renewal.timer);
	i->renewal.timer = NULL;
}
