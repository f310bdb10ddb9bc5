/*
 * session_metrics: what a refusal counts as: by the stage of the transaction, and by whether the
 * client may try again.
 */
#include "base/metrics.h"
#include "submission/session_internal.h"

/* Logins that auth refuses are counted there, by their reasons. */
void
session_count_refusal(const char *stage, const struct smtp_status *status)
{
	static const struct {
		const char *stage;
		enum metric permanent, temporary;
	} stages[] = {
	    {"mail", METRIC_MESSAGES_REFUSED_MAIL_PERMANENT,
		METRIC_MESSAGES_REFUSED_MAIL_TEMPORARY},
	    {"rcpt", METRIC_RECIPIENTS_REFUSED_PERMANENT, METRIC_RECIPIENTS_REFUSED_TEMPORARY},
	    {"data", METRIC_MESSAGES_REFUSED_DATA_PERMANENT,
		METRIC_MESSAGES_REFUSED_DATA_TEMPORARY}};
	bool is_temporary = smtp_status_is_temporary(status);

	for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
		if (strcmp(stage, stages[i].stage) == 0) {
			metrics_count(is_temporary ? stages[i].temporary : stages[i].permanent, 1);
			return;
		}
	metrics_count(METRIC_COMMANDS_REFUSED, 1);
}
