/*
 * admin_filter: see the header.
 */
#include "queue/admin/admin_filter.h"

#include "ipc/message.h"

enum { IDS_MAX = 10000 };

/* "90s", "15m", "2h", "5d". A number without a unit is ambiguous and is refused. */
static bool
parse_age(struct str s, int64_t *ms_out)
{
	static const struct {
		char unit;
		int64_t ms;
	} units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}, {'w', 604800000}};
	int64_t unit_ms = 0;
	uint64_t n;

	for (size_t i = 0; s.n && i < sizeof units / sizeof *units; i++) {
		if (s.p[s.n - 1] != units[i].unit)
			continue;
		unit_ms = units[i].ms;
		s.n--;
		break;
	}
	if (unit_ms == 0 || !str_u64(s, &n) || n > 100000000)
		return false;
	*ms_out = (int64_t)n * unit_ms;
	return true;
}

static bool
add_id(struct admin_filter *f, struct str text, struct arena *arena)
{
	uint32_t recipient;

	if (!f->ids)
		f->ids = ARENA_ARRAY(arena, struct msgid, IDS_MAX);
	if (f->id_count == IDS_MAX)
		return false;
	if (!msgid_parse(text, &f->ids[f->id_count], &recipient))
		return false;
	f->has_sessions |= f->ids[f->id_count++].number == 0;
	return true;
}

static bool
is_state(struct str s)
{
	return str_eq(s, STR("active")) || str_eq(s, STR("deferred")) || str_eq(s, STR("held"));
}

static bool
take_filter_condition(
    struct admin_filter *f, struct str key, struct str value, struct arena *arena, const char **why)
{
	const struct {
		struct str key;
		struct str *to;
	} texts[] = {{STR("user"), &f->user}, {STR("account"), &f->account},
	    {STR("from"), &f->from}, {STR("to"), &f->to}, {STR("domain"), &f->domain},
	    {STR("state"), &f->state}};
	struct str *to = NULL;

	if (str_eq(key, STR("id"))) {
		*why = "an id looks like 1R8K3M7Q4TB2-1, that of a session like 1R8K3M7Q4TB2";
		return add_id(f, value, arena);
	}
	if (str_eq(key, STR("older"))) {
		*why = "an age has a unit: 90s, 15m, 2h, 5d or 1w";
		return parse_age(value, &f->older_ms);
	}
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (str_eq(key, texts[i].key))
			to = texts[i].to;
	if (!to)
		return true;
	*to = arena_str(arena, value);
	*why = "a condition needs a value";
	if (value.n == 0)
		return false;
	*why = "a state is active, deferred or held";
	return !str_eq(key, STR("state")) || is_state(value);
}

bool
admin_filter_parse(
    struct str values, struct arena *arena, struct admin_filter *out, const char **why_out)
{
	struct str key, value;

	*out = (struct admin_filter){0};
	while (message_values_next(&values, &key, &value))
		if (!take_filter_condition(out, key, value, arena, why_out))
			return false;
	out->other_user = out->user;
	return true;
}

const char *
admin_filter_state(const struct schedule *s, const struct queued_message *e, int64_t now_ms)
{
	if (e->is_held)
		return "held";
	for (size_t i = 0; i < e->delivery_count; i++) {
		const struct sched_delivery *p = &e->deliveries[i].sched;
		struct schedule_info info;

		if (e->deliveries[i].open == 0 || p->state == DELIVERY_IDLE)
			continue;
		schedule_explain(s, p, &info);
		if (info.next_ms <= now_ms)
			return "active";
	}
	return "deferred";
}

static bool
has_recipient(const struct queued_message *e, struct str address)
{
	for (uint32_t i = 1; i <= e->recipient_count; i++)
		if (queued_recipient_is_open(&queued_message_recipients(e)[i - 1]) &&
		    str_ieq(queued_message_address(e, i), address))
			return true;
	return false;
}

static bool
has_domain(const struct queued_message *e, struct str domain)
{
	for (size_t i = 0; i < e->delivery_count; i++)
		if (e->deliveries[i].open && str_ieq(delivery_domain(&e->deliveries[i]), domain))
			return true;
	return false;
}

bool
admin_filter_is_narrow(const struct admin_filter *f)
{
	bool is_of_others = f->state.n && !str_eq(f->state, STR("held"));

	return f->from.n || f->to.n || f->domain.n || is_of_others || f->older_ms || f->id_count;
}

/* A value without "@" means all recipients of that domain, as in `--to example.net`. */
static bool
fits_to(const struct queued_message *e, struct str to)
{
	return str_find(to, '@') < to.n ? has_recipient(e, to) : has_domain(e, to);
}

static bool
fits_an_id(const struct admin_filter *f, struct msgid id)
{
	for (size_t i = 0; i < f->id_count; i++)
		if (f->ids[i].session == id.session &&
		    (f->ids[i].number == 0 || f->ids[i].number == id.number))
			return true;
	return false;
}

bool
admin_filter_fits(const struct admin_filter *f, const struct schedule *s,
    const struct queued_message *e, int64_t now_ms)
{
	struct str from = str_eq(f->from, STR("<>")) ? STR_NULL : f->from;

	if (f->has_sessions && !fits_an_id(f, e->id))
		return false;
	if (f->user.n && !str_ieq(f->user, queued_message_user(e)) &&
	    !str_ieq(f->other_user, queued_message_user(e)))
		return false;
	if (f->account.n && !str_ieq(f->account, queued_message_user(e)))
		return false;
	if (f->from.n && !str_ieq(from, queued_message_sender(e)))
		return false;
	if (f->to.n && !fits_to(e, f->to))
		return false;
	if (f->domain.n && !has_domain(e, f->domain))
		return false;
	if (f->older_ms && now_ms - e->arrival_ms < f->older_ms)
		return false;
	return f->state.n == 0 || str_eq(f->state, str_of(admin_filter_state(s, e, now_ms)));
}
