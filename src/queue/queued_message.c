/*
 * queued_message: one message, made from its envelope: its texts follow its recipients, and each
 * user and each sender is stored once.
 */
#include "base/mem.h"
#include "queue/lifetime.h"
#include "queue/queued.h"

enum { DOMAINS_BYTES_MAX = 4 << 20 };

_Static_assert(sizeof(struct queued_message) == offsetof(struct queued_message, deliveries) &&
	SPOOL_RECIPIENTS_MAX < 1 << QUEUED_COUNT_BITS &&
	ENVELOPE_BYTES_MAX < 1 << QUEUED_TEXT_BITS,
    "the fields of a queued message are wide enough, and delivery_message finds it");

/* ---- users and senders ---- */

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

static struct queued_sender *
ref_queued_sender(
    struct queued_messages *queued, struct arena *arena, struct str user, struct str address)
{
	char *text = arena_new(arena, user.n + 1 + address.n);
	struct str key = str_make(text, user.n + 1 + address.n);
	struct queued_sender *sender;

	if (user.n)
		memcpy(text, user.p, user.n);
	if (address.n)
		memcpy(text + user.n + 1, address.p, address.n);
	sender = map_get(queued->senders, key);
	if (!sender) {
		sender = MEM_NEW(struct queued_sender);
		sender->user = ref_queued_user(queued, user);
		sender->key = str_make(mem_text(key.p, key.n), key.n);
		map_put(queued->senders, sender->key, sender);
	}
	sender->references++;
	return sender;
}

static void
unref_queued_sender(struct queued_messages *queued, struct queued_sender *sender)
{
	if (--sender->references)
		return;
	map_remove(queued->senders, sender->key);
	unref_queued_user(queued, sender->user);
	mem_free((char *)sender->key.p);
	mem_free(sender);
}

/* ---- creating a message ---- */

struct queued_plan_domain {
	struct str name;
	uint32_t first;              /* index of the first recipient */
	bool is_own;                 /* it does not stand like this in that recipient's address */
};

struct queued_plan {
	struct queued_plan_domain *domains; /* without duplicates */
	uint16_t *of;        /* of each recipient, the index of its domain */
	size_t count;
	size_t address_bytes;
	size_t own_bytes;            /* of domains of their own, each with a NUL */
};

/* The part of an address after its @; empty: it has none. */
static struct str
address_part(struct str address)
{
	size_t at = str_rfind(address, '@');

	return at < address.n ? str_from(address, at + 1) : STR_NULL;
}

/* Relay converts letters beyond ASCII for DNS. */
static struct str
address_domain(struct str address, struct str hostname, struct arena *arena)
{
	bool has_domain = str_rfind(address, '@') < address.n;

	return arena_lower(arena, has_domain ? address_part(address) : hostname);
}

static uint16_t
plan_domain(struct queued_plan *p, struct str domain, struct str address, uint32_t recipient)
{
	size_t i = 0;

	while (i < p->count && !str_eq(p->domains[i].name, domain))
		i++;
	if (i == p->count) {
		bool is_own = !str_eq(address_part(address), domain);

		p->domains[p->count++] = (struct queued_plan_domain){domain, recipient, is_own};
		p->own_bytes += is_own ? domain.n + 1 : 0;
	}
	return (uint16_t)i;
}

static void
plan_make(struct queued_plan *p, const struct envelope *e, struct str hostname, struct arena *arena)
{
	p->domains = ARENA_ARRAY(arena, struct queued_plan_domain, e->recipient_count);
	p->of = ARENA_ARRAY(arena, uint16_t, e->recipient_count);
	for (uint32_t i = 0; i < e->recipient_count; i++) {
		struct str address = e->recipients[i].address;

		p->of[i] = plan_domain(p, address_domain(address, hostname, arena), address, i);
		p->address_bytes += address.n;
	}
}

/* The addresses, then domains with their NUL, then the sender's own limit if there is one. */
static char *
queued_message_text(const struct queued_message *e)
{
	return (char *)(queued_message_recipients(e) + e->recipient_count);
}

static void
append_queued_text(struct queued_message *e, size_t *used, const void *p, size_t n)
{
	if (n)
		memcpy(queued_message_text(e) + *used, p, n);
	*used += n;
}

/* The domains of their own, in order of their deliveries, end before the sender's limit. */
static const char *
queued_message_own_domain(const struct queued_message *e, size_t count)
{
	const char *at = queued_message_text(e) + e->address_bytes;

	for (; count > 0; count--)
		at += strlen(at) + 1;
	return at;
}

static size_t
queued_message_count_own(const struct queued_message *e, size_t before)
{
	size_t count = 0;

	for (size_t i = 0; i < before; i++)
		count += e->deliveries[i].has_own_domain;
	return count;
}

static int64_t
queued_message_deliver_by_ms(const struct queued_message *e)
{
	int64_t at_ms = 0;

	if (e->has_deliver_by)
		memcpy(&at_ms, queued_message_own_domain(
		    e, queued_message_count_own(e, e->delivery_count)), sizeof at_ms);
	return at_ms;
}

void
queued_message_set_lifetime(struct queued_message *e, int64_t lifetime_ms)
{
	int64_t expires_ms = lifetime_expires_ms(
	    e->arrival_ms, lifetime_ms, queued_message_deliver_by_ms(e));

	for (uint16_t i = 0; i < e->delivery_count; i++)
		e->deliveries[i].sched.expires_ms = expires_ms;
}

#define QUEUED_COUNT(value) ((value) & ((1u << QUEUED_COUNT_BITS) - 1))
#define QUEUED_TEXT(value) ((value) & ((1u << QUEUED_TEXT_BITS) - 1))

static void
fill_deliveries(struct queued_message *to, const struct queued_plan *p, const struct envelope *e,
    size_t *used)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct queued_plan_domain *domain = &p->domains[i];
		struct delivery *delivery = &to->deliveries[i];

		delivery->place = QUEUED_COUNT((unsigned)i);
		delivery->first = QUEUED_COUNT(domain->first);
		delivery->has_own_domain = domain->is_own;
		if (domain->is_own) {
			append_queued_text(to, used, domain->name.p, domain->name.n);
			append_queued_text(to, used, "", 1);
		}
		delivery->sched.user = to->sender->user;
		delivery->sched.due_ms =
		    e->hold_until_ms > e->arrival_ms ? e->hold_until_ms : e->arrival_ms;
	}
}

static void
fill_recipients(struct queued_message *to, const struct queued_plan *p, const struct envelope *e,
    size_t *used)
{
	for (uint32_t i = 0; i < e->recipient_count; i++) {
		struct queued_recipient *recipient = &queued_message_recipients(to)[i];
		struct str address = e->recipients[i].address;

		recipient->at = QUEUED_TEXT((unsigned)*used);
		append_queued_text(to, used, address.p, address.n);
		recipient->outcome = SPOOL_WAITING;
		recipient->notify = e->recipients[i].notify & 15;
		recipient->delivery = QUEUED_COUNT((unsigned)p->of[i]);
		to->deliveries[p->of[i]].open++;
	}
}

static struct queued_message *
allocate_queued_message(const struct queued_plan *p, const struct envelope *from)
{
	size_t delivery_bytes = p->count * sizeof(struct delivery);
	size_t recipient_bytes = from->recipient_count * sizeof(struct queued_recipient);
	struct queued_message *e = mem_new(sizeof *e + delivery_bytes + recipient_bytes +
	    p->address_bytes + p->own_bytes + (from->deliver_by_ms ? sizeof(int64_t) : 0));

	e->delivery_count = QUEUED_COUNT((unsigned)p->count);
	e->recipient_count = QUEUED_COUNT(from->recipient_count);
	e->address_bytes = QUEUED_TEXT((unsigned)p->address_bytes);
	e->has_deliver_by = from->deliver_by_ms != 0;
	return e;
}

static uint32_t
queued_bytes(const struct envelope *e)
{
	uint64_t bytes = e->header_bytes + e->body_bytes;

	return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

/* Ids bound the times of messages (base/id.h), with a bit to spare. */
#define QUEUED_TIME_MAX (((int64_t)1 << 43) - 1)

static int64_t
queued_time(int64_t at_ms)
{
	at_ms = at_ms > 0 ? at_ms : 0;
	return at_ms < QUEUED_TIME_MAX ? at_ms : QUEUED_TIME_MAX;
}

struct queued_message *
queued_message_new(struct queued_messages *queued, const struct envelope *from, int64_t lifetime_ms,
    struct str hostname)
{
	struct queued_plan plan = {0};
	struct arena arena;
	struct queued_message *e;
	size_t used = 0;

	arena_init(&arena, DOMAINS_BYTES_MAX);
	plan_make(&plan, from, hostname, &arena);
	e = allocate_queued_message(&plan, from);
	e->id = from->id;
	e->bytes = queued_bytes(from);
	e->arrival_ms = queued_time(from->arrival_ms) & QUEUED_TIME_MAX;
	e->sender = ref_queued_sender(queued, &arena, from->user, from->sender);
	e->is_report = from->kind == ENVELOPE_REPORT;
	e->open = QUEUED_COUNT(from->recipient_count);
	fill_recipients(e, &plan, from, &used);
	fill_deliveries(e, &plan, from, &used);
	if (e->has_deliver_by)
		append_queued_text(e, &used, &from->deliver_by_ms, sizeof from->deliver_by_ms);
	queued_message_set_lifetime(e, lifetime_ms);
	arena_clear(&arena);
	return e;
}

void
queued_message_free(struct queued_messages *queued, struct queued_message **e)
{
	if (!*e)
		return;
	for (uint32_t i = 0; i < (*e)->recipient_count; i++)
		mem_free(queued_message_recipients(*e)[i].detail);
	for (uint32_t i = 0; i < (*e)->delivery_count; i++)
		mem_free((*e)->deliveries[i].run);
	unref_queued_sender(queued, (*e)->sender);
	mem_free(*e);
	*e = NULL;
}

/* ---- what is known of it ---- */

void
queued_message_envelope(
    const struct queued_message *from, struct arena *arena, struct envelope *out)
{
	*out = (struct envelope){.id = from->id, .arrival_ms = from->arrival_ms};
	out->kind = from->is_report ? ENVELOPE_REPORT : ENVELOPE_MESSAGE;
	out->user = queued_message_user(from);
	out->sender = queued_message_sender(from);
	out->deliver_by_ms = queued_message_deliver_by_ms(from);
	out->body_bytes = from->bytes;
	out->recipient_count = from->recipient_count;
	out->recipients = ARENA_ARRAY(arena, struct envelope_recipient, from->recipient_count);
	for (uint32_t i = 0; i < from->recipient_count; i++) {
		out->recipients[i].address = queued_message_address(from, i + 1);
		out->recipients[i].notify = queued_message_recipients(from)[i].notify;
	}
}

struct str
queued_message_user(const struct queued_message *e)
{
	return e->sender->user->name;
}

struct str
queued_message_sender(const struct queued_message *e)
{
	return str_from(e->sender->key, e->sender->user->name.n + 1);
}

struct str
queued_message_address(const struct queued_message *e, uint32_t number)
{
	const struct queued_recipient *recipient = &queued_message_recipients(e)[number - 1];
	size_t end = number < e->recipient_count ? recipient[1].at : e->address_bytes;

	return str_make(queued_message_text(e) + recipient->at, end - recipient->at);
}

struct str
delivery_domain(const struct delivery *delivery)
{
	const struct queued_message *e = delivery_message(delivery);

	if (!delivery->has_own_domain)
		return address_part(queued_message_address(e, delivery->first + 1u));
	return str_of(
	    queued_message_own_domain(e, queued_message_count_own(e, delivery->place)));
}
