/*
 * session_facts: what the owner of a session may read at any time.
 */
#include "submission/session_internal.h"

struct buf *
session_out(struct session *s)
{
	return &s->out;
}

struct str
session_user(const struct session *s)
{
	return buf_str(&s->user);
}

bool
session_had_secret(const struct session *s)
{
	return s->had_secret;
}

struct session_counts
session_counts(const struct session *s)
{
	return s->counts;
}

const char *
session_reason(const struct session *s)
{
	return s->reason;
}
