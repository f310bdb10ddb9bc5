/*
 * smtp_client_state: queries about an SMTP client that are allowed at any time.
 */
#include "relay/smtp_client_internal.h"

struct buf *
smtp_client_output(struct smtp_client *c)
{
	return &c->output;
}

unsigned
smtp_client_turn(const struct smtp_client *c)
{
	return c->turn;
}

const struct smtp_client_result *
smtp_client_results(const struct smtp_client *c)
{
	return c->transaction.results;
}

const struct smtp_client_end *
smtp_client_end(const struct smtp_client *c)
{
	return &c->end;
}

uint64_t
smtp_client_content_bytes(const struct smtp_client *c)
{
	return c->transaction.message ? message_source_bytes(c->transaction.message) : 0;
}

bool
smtp_client_envelope_answered(const struct smtp_client *c)
{
	return c->transaction.message && c->transaction.form != SMTP_TRANSACTION_NOT_BEGUN &&
	       (smtp_client_expected(c) == 0 ||
	           c->expected[c->expected_first].phase == PHASE_FINAL);
}

bool
smtp_client_sent_content(const struct smtp_client *c)
{
	return c->transaction.message && c->transaction.form != SMTP_TRANSACTION_NOT_BEGUN &&
	       c->transaction.is_body_sent;
}
