/*
 * stored_secret: sets the secret and the reason of the session, and answers nothing. For a name
 * without an account only the reason differs, which clients do not see. A check with a newer
 * look-up succeeds only when the secret is still the same and the account not suspended: otherwise
 * the account counts as missing.
 */
#include "auth/stored_secret.h"

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
stored_secret_take(struct auth_session *s, const struct auth_backend_account *found)
{
	bool is_resolved =
	    found->name[0] && broker_lookup_resolve(s->broker, found, &s->identity);
	bool is_none = found->result == AUTH_BACKEND_NONE;

	if (!is_resolved || (found->result != AUTH_BACKEND_FOUND && !is_none))
		return false;
	s->secret = found->secret;
	if (found->is_suspended)
		s->reason = "suspended";
	if (is_none)
		s->reason = stored_secret_lacks_domain(s) ? "no_domain" : "no_such_account";
	s->changes = s->broker->changes;
	return true;
}

enum auth_backend_result
stored_secret_compare(const struct auth_session *s, const struct auth_backend_account *found)
{
	bool is_same = str_eq(claimed_name(&s->identity), str_of(found->name)) &&
	    !found->is_suspended && scram_secret_is_same(&found->secret, &s->secret);

	if (found->result == AUTH_BACKEND_FOUND && !is_same)
		return AUTH_BACKEND_NONE;
	return found->result;
}
