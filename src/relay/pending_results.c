/*
 * pending_results: each is kept in one piece of memory, found by job, message and recipient.
 */
#include "relay/pending_results.h"

#include "base/map.h"
#include "base/mem.h"

struct results {
	struct map *kept;
};

struct kept {
	struct message_result m;
	char text[];
};

struct key {
	uint64_t job;
	uint64_t session;
	uint32_t number;
	uint32_t recipient;
};

static struct str
key_of(struct key *k, uint64_t job, struct msgid id, uint32_t recipient)
{
	*k = (struct key){job, id.session, id.number, recipient};
	return str_make((const char *)k, sizeof *k);
}

static void
copy(struct str *s, char **to)
{
	if (s->n)
		memcpy(*to, s->p, s->n);
	s->p = *to;
	*to += s->n;
}

static struct kept *
keep(const struct message_result *m)
{
	struct kept *k =
	    mem_new(sizeof *k + m->reason.n + m->host.n + m->address.n + m->source.n + m->tls.n);
	char *to = k->text;

	k->m = *m;
	copy(&k->m.reason, &to);
	copy(&k->m.host, &to);
	copy(&k->m.address, &to);
	copy(&k->m.source, &to);
	copy(&k->m.tls, &to);
	return k;
}

void
results_add(struct results *r, struct channel *queue, const struct message_result *m)
{
	struct key key;

	mem_free(map_put(r->kept, key_of(&key, m->job, m->id, m->recipient), keep(m)));
	/* a queue that takes no more is as good as lost: it hears all of it when it is new */
	if (queue)
		(void)!channel_send(queue, MESSAGE_RESULT, m, -1);
}

void
results_stored(struct results *r, const struct message_result_stored *m)
{
	struct key key;

	mem_free(map_remove(r->kept, key_of(&key, m->job, m->id, m->recipient)));
}

struct repeat {
	struct channel *queue;
	bool ok;
};

static void
repeat_one(struct str key, void *value, void *arg)
{
	struct kept *k = value;
	struct repeat *p = arg;

	(void)key;
	p->ok = p->ok && channel_send(p->queue, MESSAGE_RESULT, &k->m, -1) == 0;
}

bool
results_repeat(struct results *r, struct channel *queue)
{
	struct repeat p = {queue, true};

	map_each(r->kept, repeat_one, &p);
	return p.ok;
}

size_t
results_count(const struct results *r)
{
	return map_count(r->kept);
}

struct results *
results_new(void)
{
	struct results *r = MEM_NEW(struct results);

	r->kept = map_new();
	return r;
}

void
results_free(struct results **r)
{
	if (!*r)
		return;
	map_free_all(&(*r)->kept);
	mem_free(*r);
	*r = NULL;
}
