/*
 * stored_secret: see the header.
 */
#include "auth/stored_secret.h"

#include "auth/broker_store.h"
#include "base/mem.h"
#include "conf/login_name.h"

/* True: the name has no domain, auth.default_domain added none, and the configuration has several
 * domains. */
static bool
stored_secret_lacks_domain(const struct auth_session *s)
{
	return !str_has(claimed_name(&s->identity), '@') &&
	       login_name_is_ambiguous(auth_session_conf(s));
}

bool
stored_secret_choose(struct auth_session *s)
{
	uint32_t configured = (uint32_t)auth_session_conf(s)->auth.iterations;
	struct account account;
	enum accounts_result found = broker_find_claimed(s->broker, &s->identity, &account);
	struct str user = claimed_name(&s->identity), key;
	uint32_t likely;

	if (found != ACCOUNTS_OK && found != ACCOUNTS_NONE)
		return false;
	key = accounts_key(s->broker->accounts);
	likely = accounts_likely_iterations(s->broker->accounts, user);
	scram_secret_fake(key, user, likely ? likely : configured, &s->secret);
	if (found == ACCOUNTS_OK && account.is_suspended) {
		scram_secret_invalidate(&account.secret, key, user);
		s->reason = "suspended";
	}
	if (found == ACCOUNTS_NONE)
		s->reason = stored_secret_lacks_domain(s) ? "no_domain" : "no_such_account";
	if (found == ACCOUNTS_OK)
		s->secret = account.secret;
	s->changes = s->broker->changes;
	mem_wipe(&account, sizeof account);
	return true;
}

enum accounts_result
stored_secret_check_again(const struct auth_session *s)
{
	struct account account;
	enum accounts_result found;

	if (s->changes == s->broker->changes)
		return ACCOUNTS_OK;
	found = broker_find(s->broker, claimed_name(&s->identity), &account);
	if (found != ACCOUNTS_OK)
		return found;
	if (account.is_suspended || !scram_secret_is_same(&account.secret, &s->secret))
		found = ACCOUNTS_NONE;
	mem_wipe(&account, sizeof account);
	return found;
}
