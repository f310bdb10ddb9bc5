/*
 * stage_header: what src/mail does with a header, for one message of a session.
 */
#include "submission/stage_header.h"

#include "mail/header_complete.h"
#include "mail/header_policy.h"
#include "mail/rewrite.h"
#include "policy/sender_rules.h"

static const char *
header_refusal_reason(const struct smtp_status *status)
{
	if (status->code == 550)
		return "header_from_not_allowed";
	if (status->code == 552)
		return "header_too_large";
	if (status->subject == 4 && status->detail == 6)
		return "loop";
	return status->detail == 7 ? "smtputf8" : "malformed_header";
}

/* NEXT, or the refusal. */
static enum stage_step
after_header_status(struct stage_message *m, const struct smtp_status *status)
{
	if (status->code == 250)
		return STAGE_NEXT;
	return stage_refuse(m, header_refusal_reason(status), status);
}

enum stage_step
stage_header_parse(struct stage_message *m)
{
	struct smtp_status status =
	    header_parse(buf_str(&m->content->header), &m->transaction->arena, &m->header);

	return after_header_status(m, &status);
}

static bool
may_have_author(const struct mail_address *address, void *arg)
{
	const struct stage_message *m = arg;

	return sender_rules_may_send(m->conf, m->envelope.user, address);
}

/* Where the message comes from, as the functions of src/mail want it. */
static struct header_origin
origin_of_message(struct stage_message *m)
{
	const struct conf *conf = m->conf;
	const struct envelope *e = &m->envelope;
	bool is_shown = conf->submission.client_address == CLIENT_ADDRESS_SHOW;

	return (struct header_origin){
	    .hostname = conf->hostname,
	    .domain = conf->domains.count > 0 ? conf->domains.item[0].name : conf->hostname,
	    .user = e->user,
	    .sender = e->sender,
	    .id = str_of(m->id),
	    .helo = m->helo,
	    .client = is_shown ? e->client : STR_NULL,
	    .protocol = e->smtputf8 ? STR("UTF8SMTPSA") : STR("ESMTPSA"),
	    .tls = m->tls,
	    .for_recipient = e->recipient_count == 1 ? e->recipients[0].address : STR_NULL,
	    .now_ms = e->arrival_ms,
	    .smtputf8 = e->smtputf8,
	    .passes_duplicates = conf->submission.doubled_fields == DOUBLED_FIELDS_PASS,
	    .may = may_have_author,
	    .may_arg = m,
	};
}

enum stage_step
stage_header_policy(struct stage_message *m)
{
	struct header_origin origin = origin_of_message(m);
	struct smtp_status status =
	    header_policy_check(&m->header, &origin, &m->transaction->arena, &m->authors);

	m->envelope.header_from = m->authors.from;
	if (status.code != 250)
		m->refused_from = m->authors.from;
	return after_header_status(m, &status);
}

enum stage_step
stage_header_repair(struct stage_message *m)
{
	struct header_origin origin = origin_of_message(m);
	struct header received = m->header;
	struct smtp_status large;

	if (header_complete(&received, &origin, &m->authors, &m->transaction->arena, &m->header))
		return STAGE_NEXT;
	large = header_too_large();
	return after_header_status(m, &large);
}

enum stage_step
stage_header_rewrite(struct stage_message *m)
{
	struct header_origin origin = origin_of_message(m);
	struct smtp_status status;
	struct buf out;

	buf_init(&out, HEADER_COMPLETE_BYTES_MAX);
	status = rewrite_header(&m->header, &origin, &out);
	/* the fields are views into the block that is replaced */
	m->header = (struct header){.count = 0};
	if (status.code == 250)
		content_replace_header(m->content, &out);
	buf_clear(&out);
	return after_header_status(m, &status);
}
