/*
 * queued: see the header.
 */
#include "queue/queued.h"

#include "base/mem.h"
#include "queue/lifetime.h"

enum { DOMAINS_BYTES_MAX = 4 << 20 };

void
queued_init(struct queued_messages *queued)
{
	*queued = (struct queued_messages){.by_id = map_new(), .users = map_new()};
	TAILQ_INIT(&queued->messages);
	timers_init(&queued->by_age);
}

void
queued_clear(struct queued_messages *queued)
{
	struct queued_message *e;

	while ((e = TAILQ_FIRST(&queued->messages)))
		queued_remove(queued, &e);
	map_free(&queued->by_id);
	map_free(&queued->users);
	timers_clear(&queued->by_age);
}

/* ---- users ---- */

static struct queued_user *
ref_queued_user(struct queued_messages *queued, struct str name)
{
	struct queued_user *u = map_get(queued->users, name);

	if (!u) {
		u = MEM_NEW(struct queued_user);
		u->name = str_make(mem_text(name.p, name.n), name.n);
		map_put(queued->users, u->name, u);
	}
	u->references++;
	return u;
}

static void
unref_queued_user(struct queued_messages *queued, struct queued_user *u)
{
	if (--u->references)
		return;
	map_remove(queued->users, u->name);
	mem_free((char *)u->name.p);
	mem_free(u);
}

/* ---- creating a message ---- */

struct queued_plan {
	struct str *domains; /* without duplicates */
	uint16_t *of;        /* of each recipient, the index of its domain */
	size_t count;
	size_t text_bytes;
};

/* Relay converts letters beyond ASCII for DNS. */
static struct str
address_domain(struct str address, struct str hostname, struct arena *arena)
{
	size_t at = str_rfind(address, '@');

	return arena_lower(arena, at < address.n ? str_from(address, at + 1) : hostname);
}

static uint16_t
plan_domain(struct queued_plan *p, struct str domain)
{
	size_t i = 0;

	while (i < p->count && !str_eq(p->domains[i], domain))
		i++;
	if (i == p->count) {
		p->domains[p->count++] = domain;
		p->text_bytes += domain.n;
	}
	return (uint16_t)i;
}

static void
plan_make(struct queued_plan *p, const struct envelope *e, struct str hostname, struct arena *arena)
{
	p->domains = ARENA_ARRAY(arena, struct str, e->recipient_count);
	p->of = ARENA_ARRAY(arena, uint16_t, e->recipient_count);
	p->text_bytes = e->sender.n;
	for (uint32_t i = 0; i < e->recipient_count; i++) {
		struct str address = e->recipients[i].address;

		p->of[i] = plan_domain(p, address_domain(address, hostname, arena));
		p->text_bytes += address.n;
	}
}

static uint32_t
append_queued_text(struct queued_message *e, uint32_t *used, struct str s)
{
	uint32_t at = *used;

	if (s.n)
		memcpy(e->text + at, s.p, s.n);
	*used += (uint32_t)s.n;
	return at;
}

void
queued_message_set_lifetime(struct queued_message *e, int64_t lifetime_ms)
{
	e->expires_ms = lifetime_expires_ms(e->arrival_ms, lifetime_ms, e->deliver_by_ms);
	for (uint16_t i = 0; i < e->delivery_count; i++)
		e->deliveries[i].sched.expires_ms = e->expires_ms;
}

static void
fill_deliveries(struct queued_message *to, const struct queued_plan *p, const struct envelope *e,
    uint32_t *used)
{
	for (size_t i = 0; i < p->count; i++) {
		struct delivery *delivery = &to->deliveries[i];

		delivery->message = to;
		delivery->domain_at = append_queued_text(to, used, p->domains[i]);
		delivery->domain_n = (uint16_t)p->domains[i].n;
		delivery->sched.user = to->user;
		delivery->sched.due_ms =
		    e->hold_until_ms > e->arrival_ms ? e->hold_until_ms : e->arrival_ms;
	}
}

static void
fill_recipients(struct queued_message *to, const struct queued_plan *p, const struct envelope *e,
    uint32_t *used)
{
	for (uint32_t i = 0; i < e->recipient_count; i++) {
		struct queued_recipient *recipient = &to->recipients[i];

		recipient->at = append_queued_text(to, used, e->recipients[i].address);
		recipient->n = (uint16_t)e->recipients[i].address.n;
		recipient->outcome = SPOOL_WAITING;
		recipient->notify = (uint8_t)(e->recipients[i].notify & 15);
		recipient->delivery = p->of[i];
		to->deliveries[p->of[i]].open++;
	}
}

static struct queued_message *
allocate_queued_message(const struct queued_plan *p, uint32_t recipient_count)
{
	size_t delivery_bytes = p->count * sizeof(struct delivery);
	size_t recipient_bytes = recipient_count * sizeof(struct queued_recipient);
	struct queued_message *e =
	    mem_new(sizeof *e + delivery_bytes + recipient_bytes + p->text_bytes);

	e->deliveries = (struct delivery *)(e + 1);
	e->recipients = (struct queued_recipient *)((char *)e->deliveries + delivery_bytes);
	e->text = (char *)e->recipients + recipient_bytes;
	e->delivery_count = (uint16_t)p->count;
	e->recipient_count = recipient_count;
	return e;
}

struct queued_message *
queued_message_new(struct queued_messages *queued, const struct envelope *from, int64_t lifetime_ms,
    struct str hostname)
{
	struct queued_plan plan = {0};
	struct arena arena;
	struct queued_message *e;
	uint32_t used = 0;

	arena_init(&arena, DOMAINS_BYTES_MAX);
	plan_make(&plan, from, hostname, &arena);
	e = allocate_queued_message(&plan, from->recipient_count);
	e->id = from->id;
	e->arrival_ms = from->arrival_ms;
	e->deliver_by_ms = from->deliver_by_ms;
	e->bytes = from->header_bytes + from->body_bytes;
	e->user = ref_queued_user(queued, from->user);
	e->is_report = from->kind == ENVELOPE_REPORT;
	e->open = (uint16_t)from->recipient_count;
	e->sender_n = (uint16_t)from->sender.n;
	append_queued_text(e, &used, from->sender);
	fill_deliveries(e, &plan, from, &used);
	fill_recipients(e, &plan, from, &used);
	queued_message_set_lifetime(e, lifetime_ms);
	arena_clear(&arena);
	return e;
}

void
queued_message_free(struct queued_messages *queued, struct queued_message **e)
{
	if (!*e)
		return;
	unref_queued_user(queued, (*e)->user);
	mem_free(*e);
	*e = NULL;
}

/* ---- all messages ---- */

void
queued_add(struct queued_messages *queued, struct queued_message *e)
{
	char room[MSGID_KEY_BYTES];

	map_put(queued->by_id, msgid_key(e->id, room), e);
	TAILQ_INSERT_TAIL(&queued->messages, e, link);
	timers_set(&queued->by_age, &e->arrival, e->arrival_ms);
	e->is_queued = true;
	queued->held += e->is_held;
	queued->bytes += e->bytes;
	queued->recipients += e->open;
}

void
queued_remove(struct queued_messages *queued, struct queued_message **e)
{
	char room[MSGID_KEY_BYTES];

	map_remove(queued->by_id, msgid_key((*e)->id, room));
	TAILQ_REMOVE(&queued->messages, *e, link);
	timers_remove(&queued->by_age, &(*e)->arrival);
	queued->held -= (*e)->is_held;
	queued->bytes -= (*e)->bytes;
	queued->recipients -= (*e)->open;
	queued_message_free(queued, e);
}

struct queued_message *
queued_find(const struct queued_messages *queued, struct msgid id)
{
	char room[MSGID_KEY_BYTES];

	return map_get(queued->by_id, msgid_key(id, room));
}

void
queued_message_hold(struct queued_messages *queued, struct queued_message *e, bool is_held)
{
	if (e->is_queued) {
		queued->held -= e->is_held;
		queued->held += is_held;
	}
	e->is_held = is_held;
	e->is_damaged &= is_held;
}

int64_t
queued_oldest_ms(const struct queued_messages *queued)
{
	const struct timer *first = timers_first(&queued->by_age);

	return first ? first->at_ms : INT64_MAX;
}

static void
count_recipient_outcome(struct queued_message *e, enum spool_outcome outcome, uint8_t marks)
{
	if (outcome == SPOOL_DONE)
		e->sent++;
	else if (marks & MARK_DELETED)
		e->deleted++;
	else if (marks & MARK_EXPIRED)
		e->expired++;
	else
		e->failed++;
}

void
queued_recipient_owe_report(
    struct queued_message *e, uint32_t number, enum spool_outcome outcome, uint8_t marks)
{
	struct queued_recipient *recipient = &e->recipients[number - 1];

	if (!recipient->is_owed) {
		e->deliveries[recipient->delivery].open--;
		e->owed++;
	}
	recipient->is_owed = true;
	recipient->outcome = (uint8_t)outcome;
	recipient->marks = marks | (recipient->marks & MARK_WARNED);
}

void
queued_recipient_set_outcome(struct queued_messages *queued, struct queued_message *e,
    uint32_t number, enum spool_outcome outcome, uint8_t marks)
{
	struct queued_recipient *recipient = &e->recipients[number - 1];
	bool ends = outcome == SPOOL_DONE || outcome == SPOOL_FAILED;

	if (ends && !recipient->is_owed)
		e->deliveries[recipient->delivery].open--;
	e->owed = (uint16_t)(e->owed - recipient->is_owed);
	recipient->is_owed = false;
	recipient->outcome = (uint8_t)outcome;
	recipient->marks = marks | (recipient->marks & MARK_WARNED);
	if (!ends)
		return;
	e->open--;
	if (e->is_queued)
		queued->recipients--;
	count_recipient_outcome(e, outcome, marks);
}

void
queued_message_envelope(
    const struct queued_message *from, struct arena *arena, struct envelope *out)
{
	*out = (struct envelope){.id = from->id, .arrival_ms = from->arrival_ms};
	out->kind = from->is_report ? ENVELOPE_REPORT : ENVELOPE_MESSAGE;
	out->user = from->user->name;
	out->sender = queued_message_sender(from);
	out->deliver_by_ms = from->deliver_by_ms;
	out->body_bytes = from->bytes;
	out->recipient_count = from->recipient_count;
	out->recipients = ARENA_ARRAY(arena, struct envelope_recipient, from->recipient_count);
	for (uint32_t i = 0; i < from->recipient_count; i++) {
		out->recipients[i].address = queued_message_address(from, i + 1);
		out->recipients[i].notify = from->recipients[i].notify;
	}
}

struct str
queued_message_sender(const struct queued_message *e)
{
	return str_make(e->text, e->sender_n);
}

struct str
queued_message_address(const struct queued_message *e, uint32_t number)
{
	const struct queued_recipient *recipient = &e->recipients[number - 1];

	return str_make(e->text + recipient->at, recipient->n);
}

struct str
delivery_domain(const struct delivery *delivery)
{
	return str_make(delivery->message->text + delivery->domain_at, delivery->domain_n);
}
