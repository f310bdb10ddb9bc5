/*
 * resolver_renewal: owns the resolver of the role, and the resolvers of former configurations as
 * long as running attempts use them.
 */
#include "base/log.h"
#include "base/mem.h"
#include "relay/relay_internal.h"

enum {
	RETIRED_MAX = 16,
	RENEW_AGAIN_S = 10, /* the wait after a resolver could not be made */
};

static void
free_retired_resolver(struct resolver *resolver, void *arg)
{
	struct relay *r = arg;
	size_t count = 0;

	for (size_t i = 0; i < r->retired_count; i++)
		if (r->retired[i] != resolver)
			r->retired[count++] = r->retired[i];
	r->retired_count = count;
	resolver_free(&resolver);
}

/* Running attempts go on with their former resolver.  If there are too many former resolvers, the
 * open queries of the oldest ones end as if there were no answer. */
static void
retire_resolver(struct relay *r)
{
	size_t count = r->retired_count;

	r->retired = mem_grow(r->retired, (count + 1) * sizeof(struct resolver *));
	r->retired[r->retired_count++] = r->resolver;
	resolver_retire(r->resolver, free_retired_resolver, r);
	for (size_t i = 0; i + RETIRED_MAX <= count; i++)
		resolver_expire_queries(r->retired[i]);
}

/* Makes the resolver of the new choice.  If that fails, it is tried again, because main has been
 * told that the new configuration is in force. */
static void
renew_resolver(struct relay *r)
{
	const struct timeval retry = {.tv_sec = RENEW_AGAIN_S};
	struct resolver *fresh = resolver_choice_new_resolver(&r->choice, r->role->base);

	event_del(r->renewal_timer);
	if (fresh) {
		retire_resolver(r);
		r->resolver = fresh;
		destination_cache_reset(r->context.destinations, fresh, r->role->conf);
		return;
	}
	log_error("relay: no resolver can be made for the new dns settings: the former one is "
		  "used until then, and the new one is tried again every %d s",
	    RENEW_AGAIN_S);
	event_add(r->renewal_timer, &retry);
}

static void
renew_resolver_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	renew_resolver(arg);
}

void
resolver_renewal_reload(struct relay *r)
{
	struct resolver_choice fresh, former = r->choice;

	resolver_choice_make(r->role, &fresh);
	if (resolver_choice_are_same(&fresh, &former)) {
		resolver_choice_clear(&fresh);
		return;
	}
	r->choice = fresh;
	resolver_choice_clear(&former);
	renew_resolver(r);
}

void
resolver_renewal_prepare(struct relay *r)
{
	r->renewal_timer = evtimer_new(r->role->base, renew_resolver_again, r);
	if (!r->renewal_timer)
		die("relay: no timer");
	resolver_choice_make(r->role, &r->choice);
	r->resolver = resolver_choice_new_resolver(&r->choice, r->role->base);
}

void
resolver_renewal_end(struct relay *r)
{
	resolver_choice_clear(&r->choice);
	resolver_free(&r->resolver);
	for (size_t i = 0; i < r->retired_count; i++)
		resolver_free(&r->retired[i]);
	mem_free(r->retired);
	if (r->renewal_timer)
		event_free(r->renewal_timer);
}
