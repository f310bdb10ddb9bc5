/*
 * operator_log: see the header.
 */
#include "ipc/operator_log.h"

static void
operator_log_head(
    struct log_line *l, int priority, const char *event, const struct message_admin *m)
{
	log_begin(l, priority, event);
	log_str(l, "id", STR_NULL);
	log_str(l, "action", m->verb);
	log_str(l, "by", m->by);
	log_str(l, "via", STR("socket"));
	if (m->claimed_name.n)
		log_quoted(l, "claim", str_upto(m->claimed_name, MESSAGE_CLAIMED_NAME_MAX));
}

void
operator_log_begin(struct log_line *l, const struct message_admin *m)
{
	operator_log_head(l, LOG_NOTICE, "admin", m);
}

void
operator_log_refused(const struct message_admin *m)
{
	struct log_line l;

	operator_log_head(&l, LOG_WARNING, "admin refused", m);
	log_end(&l);
}
