/*
 * loop_check: detects an MX that is this host, whatever name or address it was found by (RFC 5321
 * section 5.1): such a host greets with our own host name.
 */
#include "relay/reason.h"
#include "relay/smtp_client_internal.h"

bool
smtp_client_detects_loop(struct smtp_client *c, const struct smtp_status *greeting)
{
	struct str text = str_of(greeting->text);
	struct smtp_status s;

	if (!c->options.check_loop ||
	    !str_ieq(str_upto(text, str_find(text, ' ')), c->options.hostname))
		return false;
	s = smtp_status_make(554, "5.4.6", "mail loops back to this host: the host greets as %.*s",
	    STR_ARG(c->options.hostname));
	smtp_client_fail(c, &s, REASON_LOOP);
	return true;
}
