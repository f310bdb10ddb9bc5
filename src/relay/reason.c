/*
 * reason: derives the reason from the enhanced code of a reply.  For greylisting it looks at the
 * text as well, because hosts use different codes for it.
 */
#include "relay/reason.h"

#include <string.h>

static bool
is_greylisting(const struct smtp_status *s)
{
	return smtp_status_is_temporary(s) &&
	       ((s->code == 451 && s->class == 4 && s->subject == 7 && s->detail == 1) ||
	           strcasestr(s->text, "greylist") || strcasestr(s->text, "graylist"));
}

/* If no enhanced code is more specific, 552 means that the message is too large. */
static bool
reason_is_size(const struct smtp_status *s)
{
	if (s->class && (s->subject == 2 || s->subject == 3))
		return s->subject == 2 ? s->detail == 3 : s->detail == 4;
	return s->code == 552;
}

const char *
reason_of_reply(const struct smtp_status *s)
{
	if (smtp_status_is_ok(s))
		return REASON_NONE;
	if (is_greylisting(s))
		return REASON_GREYLISTED;
	if (s->class && s->subject == 2 && s->detail == 2)
		return REASON_MAILBOX_FULL;
	if (reason_is_size(s))
		return REASON_SIZE;
	if (s->class && (s->subject == 1 || s->subject == 2))
		return REASON_MAILBOX;
	if (s->subject == 4 && s->detail == 6)
		return REASON_LOOP;
	if (s->subject == 6 && s->detail == 7)
		return REASON_UTF8;
	return REASON_REFUSED;
}
