/*
 * pending_results: a map of results by attempt, message and recipient.  Each result and its strings
 * are one block of memory.
 */
#include "relay/pending_results.h"

#include "base/map.h"
#include "base/mem.h"

struct pending_results {
	struct map *results;
};

struct pending_result {
	struct message_result m;
	char text[];
};

struct pending_result_key {
	uint64_t attempt_id;
	uint64_t session;
	uint32_t number;
	uint32_t recipient;
};

static struct str
make_result_key(
    struct pending_result_key *key, uint64_t attempt_id, struct msgid id, uint32_t recipient)
{
	*key = (struct pending_result_key){attempt_id, id.session, id.number, recipient};
	return str_make((const char *)key, sizeof *key);
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
	struct pending_result *result =
	    mem_new(sizeof *result + m->reason.n + m->host.n + m->address.n + m->source.n +
	            m->tls.n + m->destination.n);
	char *to = result->text;

	result->m = *m;
	copy_result_text(&result->m.reason, &to);
	copy_result_text(&result->m.host, &to);
	copy_result_text(&result->m.address, &to);
	copy_result_text(&result->m.source, &to);
	copy_result_text(&result->m.tls, &to);
	copy_result_text(&result->m.destination, &to);
	return result;
}

void
pending_results_add(
    struct pending_results *pending, struct channel *queue, const struct message_result *m)
{
	struct pending_result_key key;

	mem_free(map_put(pending->results,
	    make_result_key(&key, m->attempt_id, m->id, m->recipient), new_pending_result(m)));
	/* a queue whose channel is full is treated as lost: its successor gets all results */
	if (queue)
		(void)!channel_send(queue, MESSAGE_RESULT, m, -1);
}

void
pending_results_stored(struct pending_results *pending, const struct message_result_stored *m)
{
	struct pending_result_key key;

	mem_free(map_remove(
	    pending->results, make_result_key(&key, m->attempt_id, m->id, m->recipient)));
}

struct pending_results_repeat {
	struct channel *queue;
	bool ok;
};

static void
resend_result(struct str key, void *value, void *arg)
{
	struct pending_result *result = value;
	struct pending_results_repeat *repeat = arg;

	(void)key;
	repeat->ok = repeat->ok && channel_send(repeat->queue, MESSAGE_RESULT, &result->m, -1) == 0;
}

bool
pending_results_repeat(struct pending_results *pending, struct channel *queue)
{
	struct pending_results_repeat repeat = {queue, true};

	map_each(pending->results, resend_result, &repeat);
	return repeat.ok;
}

size_t
pending_results_count(const struct pending_results *pending)
{
	return map_count(pending->results);
}

struct pending_results *
pending_results_new(void)
{
	struct pending_results *pending = MEM_NEW(struct pending_results);

	pending->results = map_new();
	return pending;
}

void
pending_results_free(struct pending_results **pending)
{
	if (!*pending)
		return;
	map_free_all(&(*pending)->results);
	mem_free(*pending);
	*pending = NULL;
}
