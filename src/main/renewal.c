/*
 * renewal: see the header.
 */
#include "main/renewal.h"

#include "main/grants.h"
#include "main/instance.h"

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
