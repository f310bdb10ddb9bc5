/*
 * admin_log: see the header.
 */
#include "ipc/admin_log.h"

void
admin_log_begin(struct log_line *l, const struct message_admin *m)
{
	log_begin(l, LOG_NOTICE, "admin");
	log_str(l, "id", STR_NULL);
	log_str(l, "action", m->verb);
	log_str(l, "by", m->by);
	log_str(l, "via", STR("socket"));
	if (m->claim.n)
		log_quoted(l, "claim", str_upto(m->claim, MESSAGE_CLAIM_MAX));
}
