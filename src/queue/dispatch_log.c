/*
 * dispatch_log: see the header.
 */
#include "queue/dispatch_log.h"

#include "base/log.h"

void
dispatch_log_open(
    const struct dispatch_attempt *attempt, int priority, const char *status, const char *reason)
{
	const struct queued_message *e =
	    attempt->delivery ? delivery_message(attempt->delivery) : NULL;
	struct log_line l;

	for (uint32_t i = 0; e && i < e->recipient_count; i++) {
		const struct queued_recipient *recipient = &queued_message_recipients(e)[i];

		if (&e->deliveries[recipient->delivery] != attempt->delivery ||
		    !queued_recipient_is_open(recipient))
			continue;
		log_begin(&l, priority, "deliver");
		log_id(&l, attempt->id, i + 1);
		log_str(&l, "status", str_of(status));
		log_str(&l, "reason", str_of(reason));
		log_addr(&l, "to", queued_message_address(e, i + 1));
		log_end(&l);
	}
}
