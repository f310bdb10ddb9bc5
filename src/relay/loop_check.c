/*
 * loop_check: RFC 5321 section 5.1: an MX that is this host, under whatever name or address it was
 * found.  It shows in the name by which it greets.
 */
#include "relay/phases.h"
#include "relay/reason.h"

bool
client_meets_itself(struct client *c, const struct status *greeting)
{
	struct str text = str_of(greeting->text);
	struct status s;

	if (!c->o.must_be_other ||
	    !str_ieq(str_upto(text, str_find(text, ' ')), c->o.hostname))
		return false;
	s = status_make(554, "5.4.6", "mail loops back to this host: the host greets as %.*s",
	    STR_ARG(c->o.hostname));
	client_fail(c, &s, REASON_LOOP);
	return true;
}
