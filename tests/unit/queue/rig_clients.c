/* rig: the test as submission and control. */
#include "base/clock.h"
#include "rig_parts.h"
#include "support/ask.h"
#include "support/fault_channel.h"

/* ---- as submission ---- */

static void
from_submission(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct rig *r = arg;

	(void)c;
	r->recalls += p->type == MESSAGE_LEASE_RECALL;
	if (p->type == MESSAGE_ROOM) {
		r->room = p->message->room;
		r->rooms++;
	}
}

void
rig_submission(struct rig *r)
{
	r->submission = rig_give_peer(r, ROLE_SUBMISSION, from_submission);
}

void
rig_submission_through(struct rig *r)
{
	int ends[2];

	fault_channel_free(&r->between);
	r->between = fault_channel_new(ends);
	r->submission = rig_give_end(r, ROLE_SUBMISSION, from_submission, ends);
}

static void
got_answer(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct rig *r = arg;

	r->end = end;
	r->answer = p ? p->message->status.status : (struct smtp_status){0};
	if (p && p->fd >= 0)
		r->fd = p->fd;
	r->answers_ok += p && r->answer.code == 250;
	if (p && str_starts(str_of(r->answer.text), STR("Queued as ")) &&
	    r->accepted_count < RIG_ATTEMPTS_MAX)
		r->accepted_count += msgid_parse(str_from(str_of(r->answer.text), 10),
		    &r->accepted[r->accepted_count], &(uint32_t){0});
	r->answers++;
}

struct msgid
rig_id(uint64_t n)
{
	return (struct msgid){((uint64_t)INT64_C(1795000000000) << 18) + n, 1};
}

void
rig_commit_soon(struct rig *r, struct msgid id, const char *sender, const char *const *to)
{
	static const char header[] = "From: alice@example.com\r\nMessage-ID: <x@y>\r\n";
	static const char body[] = "Hello, world\r\n";
	struct envelope_recipient recipients[RIG_RECIPIENTS_MAX] = {0};
	struct message_commit m = {.header = STR(header), .body = STR(body)};
	struct envelope e = {.id = id,
	    .arrival_ms = clock_ms(),
	    .user = STR("alice@example.com"),
	    .sender = str_of(sender),
	    .header_from = STR("alice@example.com"),
	    .header_bytes = sizeof header - 1,
	    .body_bytes = sizeof body - 1,
	    .recipients = recipients};
	struct buf envelope;

	if (r->fd >= 0) {
		m.in_file = true;
		m.body = STR_NULL;
		e.body_bytes = RIG_FD_BODY;
	}
	for (; to[e.recipient_count]; e.recipient_count++)
		recipients[e.recipient_count] = (struct envelope_recipient){
		    .address = str_of(to[e.recipient_count]), .notify = r->notify};
	buf_init(&envelope, ENVELOPE_BYTES_MAX);
	cr_assert(envelope_encode(&e, &envelope));
	m.envelope = buf_str(&envelope);
	(void)ask_pooled(r->submission, MESSAGE_COMMIT, &m, got_answer, r);
	buf_clear(&envelope);
}

struct smtp_status
rig_commit(struct rig *r, struct msgid id, const char *sender, const char *const *to)
{
	unsigned before = r->answers;

	rig_commit_soon(r, id, sender, to);
	rig_until(r, &r->answers, before + 1);
	return r->answer;
}

static void
got_lease(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct rig *r = arg;

	r->end = end;
	r->answer = p ? p->message->lease.status : (struct smtp_status){0};
	r->tokens = p ? p->message->lease.tokens : 0;
	snprintf(r->limit, sizeof r->limit, "%.*s", STR_ARG(p ? p->message->lease.limit : STR("")));
	r->answers++;
}

struct smtp_status
rig_lease(struct rig *r, const char *user, uint32_t wanted)
{
	struct message_lease_ask m = {str_of(user), wanted};
	unsigned before = r->answers;

	(void)ask_pooled(r->submission, MESSAGE_LEASE_ASK, &m, got_lease, r);
	rig_until(r, &r->answers, before + 1);
	return r->answer;
}

void
rig_return(struct rig *r, const char *user, uint32_t tokens, bool is_all)
{
	struct message_lease_return m = {str_of(user), tokens, is_all};

	cr_assert_eq(channel_send(r->submission, MESSAGE_LEASE_RETURN, &m, -1), 0);
}

void
rig_ask_file_soon(struct rig *r, const struct message_spool_file *m)
{
	(void)ask_pooled(r->submission, MESSAGE_SPOOL_FILE, m, got_answer, r);
}

void
rig_ask_file(struct rig *r, const struct message_spool_file *m)
{
	unsigned before = r->answers;

	rig_ask_file_soon(r, m);
	rig_until(r, &r->answers, before + 1);
}

struct smtp_status
rig_ask_commit(struct rig *r, const struct message_commit *m)
{
	unsigned before = r->answers;

	(void)ask_pooled(r->submission, MESSAGE_COMMIT, m, got_answer, r);
	rig_until(r, &r->answers, before + 1);
	return r->answer;
}

void
rig_release(struct rig *r, struct msgid id)
{
	struct message_release m = {id.session, id.number};

	cr_assert_eq(channel_send(r->submission, MESSAGE_RELEASE, &m, -1), 0);
}

/* ---- as control ---- */

void
rig_rows_taken(struct rig *r, uint64_t call, size_t bytes, bool is_gone)
{
	struct message_admin_taken m = {(uint32_t)bytes, is_gone};

	cr_assert_eq(channel_ask(r->control, call, MESSAGE_ADMIN_TAKEN, &m), 0);
}

static void
keep_row(struct rig *r, struct str values)
{
	if (r->row_count < RIG_ROWS_MAX && values.n <= sizeof r->rows[0]) {
		memcpy(r->rows[r->row_count], values.p, values.n);
		r->row_bytes[r->row_count] = values.n;
	}
	r->row_count++;
}

/* As the tool: each id is a row. */
static void
keep_ids(struct rig *r, struct str values)
{
	struct str key, value;
	struct buf row;

	buf_init(&row, 256);
	while (message_values_next(&values, &key, &value)) {
		if (!str_eq(key, STR("id")))
			continue;
		buf_reset(&row);
		message_values_add(&row, "id", value);
		keep_row(r, buf_str(&row));
	}
	buf_clear(&row);
}

static void
got_row(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct rig *r = arg;
	struct str values;

	/* a command whose rows are not read may never end */
	cr_assert(p || r->stalled_call, "the queue died of it");
	if (!p)
		return;
	if (end == REQUEST_ANSWERED && p->call == r->stalled_call) {
		r->stalled_ended++;
		return;
	}
	if (end == REQUEST_ANSWERED) {
		r->done = p->message->admin_done;
		rig_copy_text(r->done_text, sizeof r->done_text, r->done.text);
		r->dones++;
		return;
	}
	values = p->message->admin_row.values;
	if (r->stalls_next) {
		r->stalls_next = false;
		r->stalled_call = p->call;
		r->stalled_bytes = 0;
	}
	if (p->call == r->stalled_call) {
		r->stalled_bytes += values.n;
		return;
	}
	rig_rows_taken(r, p->call, values.n, false);
	if (str_eq(message_values_get(values, "row"), STR("total"))) {
		cr_assert_leq(values.n, sizeof r->total);
		memcpy(r->total, values.p, values.n);
		r->total_bytes = values.n;
		return;
	}
	if (str_eq(message_values_get(values, "row"), STR("ids")))
		keep_ids(r, values);
	else
		keep_row(r, values);
}

void
rig_admin_soon(struct rig *r, const char *verb, const char *const *values)
{
	struct buf list;
	struct message_admin m = {.verb = str_of(verb), .by = STR("root")};

	buf_init(&list, 65536);
	for (; *values; values += 2)
		message_values_add(&list, values[0], str_of(values[1]));
	m.values = buf_str(&list);
	r->row_count = 0;
	(void)ask_pooled(r->control, MESSAGE_ADMIN, &m, got_row, r);
	buf_clear(&list);
}

void
rig_admin(struct rig *r, const char *verb, const char *const *values)
{
	unsigned before = r->dones;

	rig_admin_soon(r, verb, values);
	rig_until(r, &r->dones, before + 1);
}

void
rig_control_gone(struct rig *r)
{
	channel_free(&r->control);
}

struct str
rig_row(struct rig *r, unsigned row, const char *key)
{
	cr_assert_lt(row, r->row_count);
	return message_values_get(str_make(r->rows[row], r->row_bytes[row]), key);
}

void
rig_check_empty(struct rig *r)
{
	rig_admin(r, "queue.list", rig_nothing);
	cr_assert_eq(r->row_count, 0);
	rig_kill(r);
	rig_start(r);
	rig_admin(r, "queue.list", rig_nothing);
	cr_assert_eq(r->row_count, 0);
}
