/*
 * pending_results: each is kept in one piece of memory, found by attempt, message and recipient.
 */
#include "relay/pending_results.h"

#include "base/map.h"
#include "base/mem.h"

struct pending_results {
	struct map *kept;
};

struct pending_result {
	struct message_result m;
	char text[];
};

struct pending_result_key {
	uint64_t job;
	uint64_t session;
	uint32_t number;
	uint32_t recipient;
};

static struct str
make_result_key(struct pending_result_key *k, uint64_t job, struct msgid id, uint32_t recipient)
{
	*k = (struct pending_result_key){job, id.session, id.number, recipient};
	return str_make((const char *)k, sizeof *k);
}

static void
copy_result_text(struct str *s, char **to)
{
	if (s->n)
		memcpy(*to, s->p, s->n);
	s->p = *to;
	*to += s->n;
}

static struct pending_result *
new_pending_result(const struct message_result *m)
{
	struct pending_result *k =
	    mem_new(sizeof *k + m->reason.n + m->host.n + m->address.n + m->source.n + m->tls.n);
	char *to = k->text;

	k->m = *m;
	copy_result_text(&k->m.reason, &to);
	copy_result_text(&k->m.host, &to);
	copy_result_text(&k->m.address, &to);
	copy_result_text(&k->m.source, &to);
	copy_result_text(&k->m.tls, &to);
	return k;
}

void
pending_results_add(
    struct pending_results *r, struct channel *queue, const struct message_result *m)
{
	struct pending_result_key key;

	mem_free(map_put(
	    r->kept, make_result_key(&key, m->job, m->id, m->recipient), new_pending_result(m)));
	/* a queue that takes no more is as good as lost: it hears all of it when it is new */
	if (queue)
		(void)!channel_send(queue, MESSAGE_RESULT, m, -1);
}

void
pending_results_stored(struct pending_results *r, const struct message_result_stored *m)
{
	struct pending_result_key key;

	mem_free(map_remove(r->kept, make_result_key(&key, m->job, m->id, m->recipient)));
}

struct pending_results_repeat {
	struct channel *queue;
	bool ok;
};

static void
resend_result(struct str key, void *value, void *arg)
{
	struct pending_result *k = value;
	struct pending_results_repeat *p = arg;

	(void)key;
	p->ok = p->ok && channel_send(p->queue, MESSAGE_RESULT, &k->m, -1) == 0;
}

bool
pending_results_repeat(struct pending_results *r, struct channel *queue)
{
	struct pending_results_repeat p = {queue, true};

	map_each(r->kept, resend_result, &p);
	return p.ok;
}

size_t
pending_results_count(const struct pending_results *r)
{
	return map_count(r->kept);
}

struct pending_results *
pending_results_new(void)
{
	struct pending_results *r = MEM_NEW(struct pending_results);

	r->kept = map_new();
	return r;
}

void
pending_results_free(struct pending_results **r)
{
	if (!*r)
		return;
	map_free_all(&(*r)->kept);
	mem_free(*r);
	*r = NULL;
}
