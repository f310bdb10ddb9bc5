/*
 * smtp_transaction_fit: checks whether a host can take a message, by the extensions that it
 * announced.
 */
#include "mail/smtp_command.h"
#include "relay/reason.h"
#include "relay/smtp_client_internal.h"

static bool
smtp_transaction_has(const struct smtp_client *c, enum smtp_extension e)
{
	return (c->extensions.has & e) != 0;
}

static struct smtp_status
smtp_transaction_no_utf8(const char *what)
{
	return smtp_status_make(
	    553, "5.6.7", "the %s needs SMTPUTF8, which the host does not offer", what);
}

static bool
smtp_transaction_all_are_utf8(const struct message_source *m)
{
	for (size_t i = 0; i < m->count; i++)
		if (str_is_ascii(message_source_recipient(m, i)->address))
			return false;
	return true;
}

/* Code 0: the host has SMTPUTF8, or the message does not need it. */
static struct smtp_status
smtp_transaction_unfit_utf8(struct smtp_client *c)
{
	struct message_source *m = c->transaction.message;
	struct header_fault fault;

	if (!smtp_transaction_has(c, EXT_SMTPUTF8) && !str_is_ascii(m->envelope->sender))
		return smtp_transaction_no_utf8("sender");
	/* the Received field contains the only recipient as well, but the address is the reason to
	 * report */
	if (!smtp_transaction_has(c, EXT_SMTPUTF8) && smtp_transaction_all_are_utf8(m))
		return smtp_transaction_no_utf8("address");
	if (!message_source_choose_header(m, smtp_transaction_has(c, EXT_SMTPUTF8), &fault))
		return smtp_status_make(553, "5.6.7",
		    "the message needs SMTPUTF8, which the host does not offer (%.*s%s%s)",
		    STR_ARG(fault.name), fault.name.n ? ": " : "", fault.why);
	return (struct smtp_status){.code = 0};
}

struct smtp_status
smtp_transaction_unfit(struct smtp_client *c, const char **reason_out)
{
	const struct message_source *m = c->transaction.message;
	struct smtp_status s;

	if (smtp_command_has_control(m->envelope->sender) ||
	    smtp_command_has_control(m->envelope->envid)) {
		*reason_out = REASON_LOCAL;
		return smtp_status_make(
		    554, "5.6.0", "the stored sender is not valid in a MAIL command");
	}
	s = smtp_transaction_unfit_utf8(c);
	if (s.code) {
		*reason_out = REASON_UTF8;
		return s;
	}
	if (c->extensions.size && message_source_bytes(m) > c->extensions.size) {
		*reason_out = REASON_SIZE;
		return smtp_status_make(552, "5.3.4",
		    "the message has %llu octets, the host takes %llu",
		    (unsigned long long)message_source_bytes(m),
		    (unsigned long long)c->extensions.size);
	}
	if (m->is_8bit && !smtp_transaction_has(c, EXT_8BITMIME)) {
		*reason_out = REASON_8BIT;
		return smtp_status_make(
		    554, "5.6.3", "the message needs 8BITMIME, which the host does not offer");
	}
	return (struct smtp_status){.code = 0};
}

struct smtp_status
smtp_transaction_unfit_recipient(
    const struct smtp_client *c, const struct envelope_recipient *r, const char **reason_out)
{
	if (smtp_command_has_control(r->address) || smtp_command_has_control(r->orcpt)) {
		*reason_out = REASON_LOCAL;
		return smtp_status_make(
		    554, "5.1.3", "the stored address is not valid in a RCPT command");
	}
	if (!str_is_ascii(r->address) && !smtp_transaction_has(c, EXT_SMTPUTF8)) {
		*reason_out = REASON_UTF8;
		return smtp_transaction_no_utf8("address");
	}
	return (struct smtp_status){.code = 0};
}
