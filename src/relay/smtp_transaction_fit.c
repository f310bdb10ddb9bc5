/*
 * smtp_transaction_fit: may this message be offered to this host, by what the host says it can
 * take?
 */
#include "mail/smtp_command.h"
#include "relay/phases.h"
#include "relay/reason.h"

static bool
transaction_has(const struct client *c, enum extension e)
{
	return (c->extensions.has & e) != 0;
}

static struct status
transaction_no_utf8(const char *what)
{
	return status_make(
	    553, "5.6.7", "the %s needs SMTPUTF8, which the host does not offer", what);
}

static bool
transaction_all_are_utf8(const struct outgoing *m)
{
	for (size_t i = 0; i < m->count; i++)
		if (str_is_ascii(outgoing_recipient(m, i)->address))
			return false;
	return true;
}

/* Code 0: the host can take what needs SMTPUTF8, or the message can do without. */
static struct status
transaction_unfit_utf8(struct client *c)
{
	struct outgoing *m = c->t.message;
	struct header_fault fault;

	if (!transaction_has(c, EXT_SMTPUTF8) && !str_is_ascii(m->envelope->sender))
		return transaction_no_utf8("sender");
	/* its only recipient stands in the Received field, which is not the reason to be told */
	if (!transaction_has(c, EXT_SMTPUTF8) && transaction_all_are_utf8(m))
		return transaction_no_utf8("address");
	if (!outgoing_fit(m, transaction_has(c, EXT_SMTPUTF8), &fault))
		return status_make(553, "5.6.7",
		    "the message needs SMTPUTF8, which the host does not offer (%.*s%s%s)",
		    STR_ARG(fault.name), fault.name.n ? ": " : "", fault.why);
	return (struct status){.code = 0};
}

struct status
transaction_unfit(struct client *c, const char **reason_out)
{
	const struct outgoing *m = c->t.message;
	struct status s;

	if (command_has_control(m->envelope->sender) || command_has_control(m->envelope->envid)) {
		*reason_out = REASON_LOCAL;
		return status_make(
		    554, "5.6.0", "the stored sender is not valid in a MAIL command");
	}
	s = transaction_unfit_utf8(c);
	if (s.code) {
		*reason_out = REASON_UTF8;
		return s;
	}
	if (c->extensions.size && outgoing_bytes(m) > c->extensions.size) {
		*reason_out = REASON_SIZE;
		return status_make(552, "5.3.4", "the message has %llu octets, the host takes %llu",
		    (unsigned long long)outgoing_bytes(m), (unsigned long long)c->extensions.size);
	}
	if (m->is_8bit && !transaction_has(c, EXT_8BITMIME)) {
		*reason_out = REASON_8BIT;
		return status_make(
		    554, "5.6.3", "the message needs 8BITMIME, which the host does not offer");
	}
	return (struct status){.code = 0};
}

struct status
transaction_unfit_recipient(
    const struct client *c, const struct recipient *r, const char **reason_out)
{
	if (command_has_control(r->address) || command_has_control(r->orcpt)) {
		*reason_out = REASON_LOCAL;
		return status_make(
		    554, "5.1.3", "the stored address is not valid in a RCPT command");
	}
	if (!str_is_ascii(r->address) && !transaction_has(c, EXT_SMTPUTF8)) {
		*reason_out = REASON_UTF8;
		return transaction_no_utf8("address");
	}
	return (struct status){.code = 0};
}
