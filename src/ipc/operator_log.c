/*
 * operator_log: the first keys are the same and in the same order everywhere; the caller adds its
 * own and ends the line. Who acts is what control knows from the kernel. A claimed name proves
 * nothing: it is quoted and cut, and stands beside the user and never in its place.
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

void
operator_log_add_who(struct buf *out, struct str by, struct str claimed_name)
{
	bool is_known = claimed_name.n && !str_eq(claimed_name, STR("loginuid=-"));

	buf_adds(out, by);
	if (is_known)
		buf_addf(out, " for %.*s",
		    STR_ARG(str_upto(claimed_name, MESSAGE_CLAIMED_NAME_MAX)));
}
