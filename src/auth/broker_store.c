/*
 * broker_store: the account store as the broker has it: opened, used, closed when it fails, and
 * opened again a moment later.
 */
#include <errno.h>
#include <stdio.h>

#include "auth/broker.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

enum {
	OPEN_AGAIN_MS = 1000,
	TELL_AGAIN_MS = 600 * 1000, /* of a store that still cannot be used */
};

/* Once for each reason, and again after a long time. */
static void
broker_log_trouble(struct broker *b, const char *why)
{
	int64_t now_ms = clock_mono_ms();

	if (strcmp(b->told, why) == 0 && now_ms < b->told_ms + clock_patience(TELL_AGAIN_MS))
		return;
	snprintf(b->told, sizeof b->told, "%s", why);
	b->told_ms = now_ms;
	log_error("accounts: %s in %.*s: logins hear 454 until it can be used%s", why,
	    STR_ARG(b->role->conf->state_directory),
	    b->is_missing ? "; put it back, or make a new one with sallyport user add" : "");
}

void
broker_log_use(struct broker *b)
{
	if (!b->told[0])
		return;
	b->told[0] = 0;
	log_warn("accounts: the store in %.*s can be used again",
	    STR_ARG(b->role->conf->state_directory));
}

void
broker_close_store(struct broker *b, const char *why)
{
	broker_log_trouble(b, why);
	snprintf(b->trouble, sizeof b->trouble, "%s", why);
	metrics_trouble(why);
	accounts_close(&b->accounts);
	b->open_after_ms = clock_mono_ms() + OPEN_AGAIN_MS;
	b->changes++;
}

void
broker_open_store(struct broker *b, enum accounts_absent absent)
{
	char error[ACCOUNTS_ERROR_BYTES];

	b->accounts = accounts_open(b->directory, absent, error);
	b->is_missing = !b->accounts && errno == ENOENT;
	if (!b->accounts) {
		broker_close_store(b, error);
		return;
	}
	b->absent = ACCOUNTS_REFUSE;
	b->trouble[0] = 0;
	metrics_trouble("");
	if (accounts_is_new(b->accounts))
		log_warn("made a new account store %.*s/accounts.db",
		    STR_ARG(b->role->conf->state_directory));
}

struct accounts *
broker_store(struct broker *b)
{
	if (!b->accounts && clock_mono_ms() >= b->open_after_ms)
		broker_open_store(b, b->absent);
	return b->accounts;
}

enum accounts_result
broker_find(struct broker *b, struct str user, struct account *out)
{
	struct accounts *a = broker_store(b);
	enum accounts_result result = a ? accounts_find(a, user, out) : ACCOUNTS_BROKEN;

	if (a && result == ACCOUNTS_BROKEN)
		broker_close_store(b, accounts_error(a));
	else if (a)
		broker_log_use(b);
	return result;
}
