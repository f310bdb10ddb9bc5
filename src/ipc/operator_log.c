/*
 * operator_log: see the header.
 */
#include "ipc/operator_log.h"

static void
admin_log_head(struct log_line *l, int priority, const char *event, const struct message_admin *m)
{
	log_begin(l, priority, event);
	log_str(l, "id", STR_NULL);
	log_str(l, "action", m->verb);
	log_str(l, "by", m->by);
	log_str(l, "via", STR("socket"));
	if (m->claim.n)
		log_quoted(l, "claim", str_upto(m->claim, MESSAGE_CLAIM_MAX));
}

void
admin_log_begin(struct log_line *l, const struct message_admin *m)
{
	admin_log_head(l, LOG_NOTICE, "admin", m);
}

void
admin_log_refused(const struct message_admin *m)
{
	struct log_line l;

	admin_log_head(&l, LOG_WARNING, "admin refused", m);
	log_end(&l);
}
