/*
 * stored_secret: see the header.
 */
#include "auth/stored_secret.h"

#include "base/mem.h"
#include "conf/login_name.h"

/* None was added to it (auth.default_domain), and accounts are made in a domain. */
static bool
stored_secret_lacks_domain(const struct auth_session *l)
{
	return !str_has(claimed_name(&l->claim), '@') &&
	       login_name_is_ambiguous(auth_session_conf(l));
}

bool
stored_secret_choose(struct auth_session *l)
{
	uint32_t configured = (uint32_t)auth_session_conf(l)->auth.iterations;
	struct account account;
	enum accounts_result found = broker_find_claimed(l->broker, &l->claim, &account);
	struct str user = claimed_name(&l->claim), key;
	uint32_t likely;

	if (found != ACCOUNTS_OK && found != ACCOUNTS_NONE)
		return false;
	key = accounts_key(l->broker->accounts);
	likely = accounts_likely_iterations(l->broker->accounts, user);
	scram_secret_fake(key, user, likely ? likely : configured, &l->secret);
	if (found == ACCOUNTS_OK && account.is_suspended) {
		scram_secret_invalidate(&account.secret, key, user);
		l->reason = "suspended";
	}
	if (found == ACCOUNTS_NONE)
		l->reason = stored_secret_lacks_domain(l) ? "no_domain" : "no_such_account";
	if (found == ACCOUNTS_OK)
		l->secret = account.secret;
	l->changes = l->broker->changes;
	mem_wipe(&account, sizeof account);
	return true;
}

enum accounts_result
stored_secret_check_again(const struct auth_session *l)
{
	struct account account;
	enum accounts_result found;

	if (l->changes == l->broker->changes)
		return ACCOUNTS_OK;
	found = broker_find(l->broker, claimed_name(&l->claim), &account);
	if (found != ACCOUNTS_OK)
		return found;
	if (account.is_suspended || !scram_secret_is_same(&account.secret, &l->secret))
		found = ACCOUNTS_NONE;
	mem_wipe(&account, sizeof account);
	return found;
}
