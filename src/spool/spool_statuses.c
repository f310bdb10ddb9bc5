/*
 * spool_statuses: what is kept is one block for each message that has a status, in a map.
 */
#include "spool/spool_statuses.h"

#include "base/map.h"
#include "base/mem.h"
#include "spool/stored_message.h"

struct spool_statuses_kept {
	uint32_t count;
	struct spool_recipient recipients[];
};

void
spool_statuses_init(struct spool_statuses *t)
{
	*t = (struct spool_statuses){.kept = map_new()};
}

static void
spool_statuses_free_kept(struct spool_statuses_kept *k)
{
	for (uint32_t n = 0; n < k->count; n++)
		mem_free((char *)(uintptr_t)k->recipients[n].detail.p);
	mem_free(k);
}

static void
spool_statuses_free_one(struct str key, void *value, void *arg)
{
	(void)key;
	(void)arg;
	spool_statuses_free_kept(value);
}

void
spool_statuses_clear(struct spool_statuses *t)
{
	if (t->kept)
		map_each(t->kept, spool_statuses_free_one, NULL);
	map_free(&t->kept);
	mem_free(t->gathered);
	t->gathered = NULL;
}

static struct spool_statuses_kept *
spool_statuses_ensure_kept(struct spool_statuses *t, const struct stored_message *i)
{
	char room[MSGID_KEY_BYTES];
	struct str key = msgid_key(i->id, room);
	struct spool_statuses_kept *k = map_get(t->kept, key);

	if (k)
		return k;
	k = mem_new(sizeof *k + i->recipient_count * sizeof *k->recipients);
	k->count = i->recipient_count;
	for (uint32_t n = 0; n < k->count; n++)
		k->recipients[n].number = n + 1;
	map_put(t->kept, key, k);
	return k;
}

void
spool_statuses_apply(struct spool_statuses *t, const struct stored_message *i,
    const struct spool_recipient *status)
{
	struct spool_recipient *r;
	bool was_settled;

	if (t->owner && t->is_handed_over && !spool_statuses_kept(t, i->id))
		return;
	if (status->number < 1 || status->number > i->recipient_count)
		return;
	r = &spool_statuses_ensure_kept(t, i)->recipients[status->number - 1];
	was_settled = r->is_settled;
	mem_free((char *)(uintptr_t)r->detail.p);
	*r = *status;
	r->is_settled |= was_settled;
	if (status->detail.n)
		r->detail.p = mem_text(status->detail.p, status->detail.n);
	else
		r->detail = STR_NULL;
}

const struct spool_recipient *
spool_statuses_kept(const struct spool_statuses *t, struct msgid id)
{
	char room[MSGID_KEY_BYTES];
	const struct spool_statuses_kept *k =
	    map_count(t->kept) ? map_get(t->kept, msgid_key(id, room)) : NULL;

	return k ? k->recipients : NULL;
}

void
spool_statuses_forget(struct spool_statuses *t, struct msgid id)
{
	char room[MSGID_KEY_BYTES];
	struct spool_statuses_kept *k =
	    map_count(t->kept) ? map_remove(t->kept, msgid_key(id, room)) : NULL;

	if (k)
		spool_statuses_free_kept(k);
}

void
spool_statuses_hand_over(struct spool_statuses *t)
{
	t->is_handed_over = true;
}

static void
spool_statuses_make_room(struct spool_statuses *t, const struct stored_message *i)
{
	if (i->recipient_count > t->cap) {
		t->cap = i->recipient_count;
		t->gathered = mem_grow(t->gathered, t->cap * sizeof *t->gathered);
	}
	for (uint32_t n = 0; n < i->recipient_count; n++)
		t->gathered[n] = (struct spool_recipient){.number = n + 1};
}

/* What is settled in the log stays settled, whatever the owner says. */
const struct spool_recipient *
spool_statuses_gather(struct spool_statuses *t, const struct stored_message *i)
{
	const struct spool_recipient *kept = spool_statuses_kept(t, i->id);

	if (kept)
		return kept;
	spool_statuses_make_room(t, i);
	if (!t->owner || !t->is_handed_over)
		return t->gathered;
	if (!t->owner(i->id, t->gathered, i->recipient_count, t->arg))
		return NULL;
	for (uint32_t n = 0; n < i->recipient_count; n++)
		t->gathered[n].is_settled |= stored_message_has_settled(i, n + 1);
	return t->gathered;
}

bool
spool_statuses_is_initial(const struct spool_recipient *r)
{
	return r->outcome == SPOOL_WAITING && !r->marks && !r->is_settled && !r->attempts;
}
