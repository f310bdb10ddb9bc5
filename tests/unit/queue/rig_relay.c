/* rig: the test as relay. */
#include <unistd.h>

#include "base/mem.h"
#include "rig_parts.h"

static void
answer_destination(struct rig *r, const struct channel_packet *p)
{
	struct str next_hop = p->message->destination_ask.next_hop;
	struct message_destination m = {.destination = next_hop, .ttl_s = 300};

	r->asked++;
	if (r->refuses_destinations) {
		channel_refuse(r->relay, p->call);
		return;
	}
	if (r->sends_wrong_types) {
		cr_assert_eq(channel_answer(r->relay, p->call, MESSAGE_STATUS,
				 &(struct message_status){0}, -1), 0);
		return;
	}
	if (str_starts(next_hop, STR("mx:nx."))) {
		m.destination = STR_NULL;
		m.status = smtp_status_make(550, "5.1.2", "No such domain");
	}
	cr_assert_eq(channel_answer(r->relay, p->call, MESSAGE_DESTINATION, &m, -1), 0);
}

static void
take_attempt(struct rig *r, const struct channel_packet *p)
{
	const struct message_deliver *m = &p->message->deliver;
	struct rig_attempt *attempt = &r->attempts[r->attempt_count];
	struct envelope e;
	struct arena arena;

	cr_assert_lt(r->attempt_count, RIG_ATTEMPTS_MAX);
	arena_init(&arena, 1 << 20);
	cr_assert(envelope_decode(m->envelope, &arena, &e));
	*attempt = (struct rig_attempt){.number = m->attempt_id,
	    .ticket = m->ticket,
	    .id = e.id,
	    .attempt = m->attempt,
	    .kind = e.kind};
	attempt->count = m->numbers.n / 4;
	cr_assert_leq(attempt->count, 16);
	memcpy(attempt->numbers, m->numbers.p, m->numbers.n);
	rig_copy_text(attempt->next_hop, sizeof attempt->next_hop, m->next_hop);
	rig_copy_text(attempt->sender, sizeof attempt->sender, e.sender);
	rig_copy_text(
	    attempt->to, sizeof attempt->to, e.recipients[attempt->numbers[0] - 1].address);
	attempt->header = mem_text(m->header.p, m->header.n);
	attempt->body_n = m->body.n;
	if (m->body_in_file) {
		cr_assert_geq(p->fd, 0);
		attempt->body_n = (size_t)lseek(p->fd, 0, SEEK_END);
		close(p->fd);
	}
	attempt->body = mem_text(m->body.p, m->body.n);
	arena_clear(&arena);
	r->attempt_count++;
}

void
rig_caught_up(struct rig *r)
{
	struct message_caught_up m = {0};

	cr_assert_eq(channel_answer(r->relay, r->running_call, MESSAGE_CAUGHT_UP, &m, -1), 0);
}

static void
take_cancel(struct rig *r, const struct message_cancel *m)
{
	r->cancels++;
	r->cancelled = m->attempt_id;
	r->is_forced = m->is_forced;
}

static void
from_relay_peer(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct rig *r = arg;

	(void)c;
	if (p->type == MESSAGE_RUNNING_ASK) {
		r->running_call = p->call;
		r->running_asked++;
		if (r->is_caught_up)
			rig_caught_up(r);
	} else if (p->type == MESSAGE_DESTINATION_ASK && r->is_silent)
		r->asked++;
	else if (p->type == MESSAGE_DESTINATION_ASK)
		answer_destination(r, p);
	else if (p->type == MESSAGE_DELIVER)
		take_attempt(r, p);
	else if (p->type == MESSAGE_CANCEL)
		take_cancel(r, &p->message->cancel);
	else if (p->type == MESSAGE_RESULT_STORED && r->stored < RIG_STORED_MAX)
		r->stored_list[r->stored++] = p->message->result_stored;
}

void
rig_relay(struct rig *r, bool caught_up)
{
	unsigned before = r->running_asked;

	r->is_caught_up = caught_up;
	r->relay = rig_give_peer(r, ROLE_RELAY, from_relay_peer);
	rig_until(r, &r->running_asked, before + 1);
}

void
rig_relay_gone(struct rig *r)
{
	channel_free(&r->relay);
}

const struct rig_attempt *
rig_attempt(struct rig *r, unsigned index)
{
	rig_until(r, &r->attempt_count, index + 1);
	return &r->attempts[index];
}

const struct rig_attempt *
rig_attempt_for(struct rig *r, const char *domain)
{
	for (unsigned i = 0; i < r->attempt_count; i++)
		if (str_starts(str_of(r->attempts[i].next_hop), STR("mx:")) &&
		    strcmp(r->attempts[i].next_hop + 3, domain) == 0)
			return &r->attempts[i];
	cr_assert_fail("no job for %s", domain);
	return NULL;
}

unsigned
rig_reports(const struct rig *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->attempt_count; i++)
		n += r->attempts[i].kind == ENVELOPE_REPORT;
	return n;
}

void
rig_result(
    struct rig *r, const struct rig_attempt *attempt, size_t n, unsigned code, const char *reason)
{
	struct message_result m = {.attempt_id = attempt->number,
	    .ticket = attempt->ticket,
	    .id = attempt->id,
	    .recipient = attempt->numbers[n],
	    .reason = str_of(reason),
	    .host = STR("mx.example.net"),
	    .address = STR("192.0.2.25"),
	    .port = 25,
	    .source = STR("198.51.100.1"),
	    .tls = STR("opportunistic")};

	m.status = smtp_status_make(code, NULL, "remote text %u", code);
	m.status.is_remote = true;
	if (strcmp(reason, "connect") == 0)
		m.status = smtp_status_make(code, "4.4.1", "connection refused");
	m.dsn_passed_on = r->is_passed_on;
	m.is_delivered = r->is_delivered;
	m.is_last = n + 1 == attempt->count;
	m.was_ready = strcmp(reason, "connect") != 0;
	cr_assert_eq(channel_send(r->relay, MESSAGE_RESULT, &m, -1), 0);
}

void
rig_results(struct rig *r, const struct rig_attempt *attempt, unsigned code, const char *reason)
{
	for (size_t i = 0; i < attempt->count; i++)
		rig_result(r, attempt, i, code, reason);
}
