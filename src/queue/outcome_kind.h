/*
 * outcome_kind: what a result of relay means for the attempt, beside its status.  For outcomes.c.
 */
#ifndef QUEUE_OUTCOME_KIND_H
#define QUEUE_OUTCOME_KIND_H

#include "ipc/message.h"

/* RFC 5321 section 3.8: the host accepts no more for now. */
static inline bool
outcome_is_busy(const struct message_result *m)
{
	return m->status.code == 421;
}

/* Relay found that the body is not what was stored. */
static inline bool
outcome_is_damaged(const struct message_result *m)
{
	return str_eq(m->reason, STR("damaged"));
}

static inline bool
outcome_is_local(const struct message_result *m)
{
	return str_eq(m->reason, STR("local")) || outcome_is_damaged(m);
}

/* The next pause is longer: the failure is neither that of a busy host nor a local one. */
static inline bool
outcome_is_tried(const struct message_result *m)
{
	return !outcome_is_busy(m) && !outcome_is_local(m);
}

/* An address was tried. */
static inline bool
outcome_is_connected(const struct message_result *m)
{
	return !outcome_is_local(m) && (m->was_ready || m->address.n > 0);
}

#endif
