/*
 * dropped: only writes a line: no state changes and no report is made. Lines about notices and
 * about reports on reports are warnings, because the postmaster does not learn of them otherwise; a
 * null sender has chosen to be told nothing.
 */
#include "queue/reports/dropped.h"

#include "base/log.h"
#include "queue/reports/dsn.h"

static void
dropped_line(const struct queued_message *e, int priority, const char *reason)
{
	struct log_line l;

	log_begin(&l, priority, dsn_is_notice(e->id) ? "notice" : "report");
	log_id(&l, e->id, 0);
	log_addr(&l, "to", e->is_report ? queued_message_address(e, 1) : queued_message_sender(e));
	log_str(&l, "status", STR("dropped"));
	log_quoted(&l, "reason", str_of(reason));
	log_end(&l);
}

void
dropped_log(const struct queued_message *e)
{
	struct queued_ends ends = queued_message_ends(e);

	if (ends.failed + ends.expired == 0)
		return;
	if (dsn_is_notice(e->id))
		dropped_line(e, LOG_WARNING,
		    "the notice could not be delivered to the postmaster: nobody is told of it, "
		    "see the lines of this id");
	else if (dsn_is_about_report(e->id))
		dropped_line(e, LOG_WARNING,
		    "the report about a report could not be delivered to the postmaster: nobody "
		    "is told of it, see the lines of this id");
	else if (!e->is_report && queued_message_sender(e).n == 0)
		dropped_line(e, LOG_NOTICE,
		    "recipients failed of a message with the null sender: nobody is told of it, "
		    "see the lines of this id");
}
