/*
 * stored_secret: see the header.
 */
#include "auth/stored_secret.h"

#include "base/mem.h"
#include "conf/login_name.h"

/* None was added to it (auth.default_domain), and accounts are made in a domain. */
static bool
stored_lacks_domain(const struct exchange *l)
{
	return !str_has(claim_name(&l->claim), '@') && login_name_is_ambiguous(exchange_conf(l));
}

bool
stored_choose(struct exchange *l)
{
	uint32_t configured = (uint32_t)exchange_conf(l)->auth.iterations;
	struct account account;
	enum accounts_result found = broker_find_meant(l->broker, &l->claim, &account);
	struct str user = claim_name(&l->claim), key;
	uint32_t likely;

	if (found != ACCOUNTS_OK && found != ACCOUNTS_NONE)
		return false;
	key = accounts_key(l->broker->accounts);
	likely = accounts_likely_iterations(l->broker->accounts, user);
	secret_fake(key, user, likely ? likely : configured, &l->secret);
	if (found == ACCOUNTS_OK && account.is_suspended) {
		secret_spoil(&account.secret, key, user);
		l->reason = "suspended";
	}
	if (found == ACCOUNTS_NONE)
		l->reason = stored_lacks_domain(l) ? "no_domain" : "no_such_account";
	if (found == ACCOUNTS_OK)
		l->secret = account.secret;
	l->changes = l->broker->changes;
	mem_wipe(&account, sizeof account);
	return true;
}

enum accounts_result
stored_look_again(const struct exchange *l)
{
	struct account account;
	enum accounts_result found;

	if (l->changes == l->broker->changes)
		return ACCOUNTS_OK;
	found = broker_find(l->broker, claim_name(&l->claim), &account);
	if (found != ACCOUNTS_OK)
		return found;
	if (account.is_suspended || !secret_is_same(&account.secret, &l->secret))
		found = ACCOUNTS_NONE;
	mem_wipe(&account, sizeof account);
	return found;
}
