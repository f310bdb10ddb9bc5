/*
 * outcome_log: there is no message at hand: all that is logged comes from the result of relay. The
 * keys about the remote host are written in one place, so that all lines of deliveries have the
 * same ones. It changes no state of the queue and acknowledges nothing.
 */
#include "queue/outcome_log.h"

#include "base/metrics.h"

#include <stdio.h>

enum { MX_BYTES = 360 };

void
outcome_log_other_side(struct log_line *l, const struct message_result *m)
{
	char mx[MX_BYTES];

	snprintf(mx, sizeof mx, "%.*s[%.*s]:%u", STR_ARG(m->host), STR_ARG(m->address), m->port);
	/* a host without an address to connect to is logged by its name */
	log_str(l, "mx", m->address.n ? str_of(mx) : m->host);
	log_str(l, "src", m->source);
	log_str(l, "tls", m->tls);
	if (m->destination.n)
		log_str(l, "destination", m->destination);
}

static void
outcome_log_rest(
    struct log_line *l, const struct message_result *m, struct str reason, struct str text)
{
	char code[SMTP_STATUS_ENHANCED_BYTES];

	log_str(l, "reason", reason);
	log_num(l, "code", m->status.code);
	log_str(l, "dsn", str_of(smtp_status_enhanced(&m->status, code)));
	outcome_log_other_side(l, m);
	log_quoted(l, "text", text);
	log_quoted(l, "reply", str_of(m->status.text));
	log_end(l);
}

void
outcome_log_deleted(const struct message_result *m)
{
	struct log_line l;

	metrics_count(METRIC_RESULTS_SENT, 1);
	log_begin(&l, LOG_NOTICE, "deliver");
	log_id(&l, m->id, m->recipient);
	log_str(&l, "status", STR("sent"));
	outcome_log_rest(&l, m, STR("deleted"),
	    STR("it was deleted when the host had the message already"));
}

void
outcome_log_unknown(const struct message_result *m)
{
	static const char sent[] =
	    "the host has a message that is not in the queue: its delivery was logged before the "
	    "queue was started again, or it was deleted all the same";
	static const char other[] =
	    "relay reports on a message that is not in the queue: it was deleted, or came to its "
	    "end, before the queue was started again";
	bool is_sent = smtp_status_is_ok(&m->status);
	struct log_line l;

	log_begin(&l, is_sent ? LOG_NOTICE : LOG_INFO, "result unknown");
	log_id(&l, m->id, m->recipient);
	if (is_sent)
		log_str(&l, "status", STR("sent"));
	outcome_log_rest(&l, m, STR("gone"), str_of(is_sent ? sent : other));
}
