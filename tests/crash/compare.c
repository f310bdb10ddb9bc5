/*
 * compare: does the spool contain what the model says that it must contain?
 */
#include <errno.h>
#include <stdio.h>

#include "content.h"
#include "model.h"
#include "spool/spool_fault.h"

struct look {
	struct model *model;
	struct model_message *message;
	bool was_called;
};

/* p NULL: the disk refused the read. */
static struct str
compare_file(struct model *m, int fd, char file[CONTENT_MAX])
{
	struct fsio *io = simdisk_io(m->disk);
	size_t n = 0;
	ssize_t got;

	while ((got = io->ops->pread(io, fd, file + n, CONTENT_MAX - n, (off_t)n)) > 0)
		n += (size_t)got;
	if (got == 0)
		return str_make(file, n);
	if (!m->reads_fail && !simdisk_is_cut(m->disk))
		model_broken(m, "a body file cannot be read: errno %d", errno);
	return STR_NULL;
}

static void
compare_content(const struct spool_content *found, int error, void *arg)
{
	static struct content c;
	static char file[CONTENT_MAX];
	struct look *l = arg;
	const struct model_message *g = l->message;
	struct str body;

	l->was_called = true;
	if (error) {
		l->model->unread++;
		if (simdisk_is_cut(l->model->disk))
			return;
		if (!l->model->reads_fail || error == EBADMSG || error == ENOENT ||
		    spool_fault_of_body(error))
			model_broken(l->model, "message cannot be read: errno %d", error);
		return;
	}
	l->model->read++;
	content_make(g, &c);
	body = found->body;
	if (found->fd >= 0) {
		body = compare_file(l->model, found->fd, file);
		if (!body.p)
			return;
	}
	if (!str_eq(body, str_make(c.body, g->body_bytes)) ||
	    !str_eq(found->header, str_make(c.header, c.header_bytes)) ||
	    !str_eq(found->envelope, str_make(c.envelope, sizeof c.envelope)))
		model_broken(l->model, "message is not what was stored (%zu of %zu bytes)", body.n,
		    g->body_bytes);
}

static void
compare_bytes(struct model *m, struct model_message *g)
{
	struct look l = {m, g, false};
	struct spool_reading reading = {.task = NULL};

	spool_read(m->spool, &reading, g->id, compare_content, &l);
	spool_dispatch(m->spool);
	if (!l.was_called)
		model_broken(m, "no answer to a read");
}

void
model_read(struct model *m)
{
	size_t from = simdisk_draw(m->disk, MODEL_MESSAGES);

	for (size_t i = 0; i < MODEL_MESSAGES; i++) {
		struct model_message *g = &m->messages[(from + i) % MODEL_MESSAGES];
		struct spool_message unused;

		if (g->fate != MODEL_STORED || !spool_find(m->spool, g->id, &unused))
			continue;
		compare_bytes(m, g);
		return;
	}
}

static void
compare_version(struct model *m, struct model_version *v, uint32_t found, const char *what)
{
	if (!m->may_lose && (found < v->acked || found > v->asked))
		model_broken(m, "%s has version %u, acknowledged %u, asked %u", what, found,
		    v->acked, v->asked);
	v->acked = v->asked = found;
	if (v->end > found)
		v->end = 0;
}

static void
compare_recipient(struct model *m, struct model_message *g, const struct spool_message *found,
    uint32_t n)
{
	struct model_version *v = &g->recipients[n];
	static const struct spool_recipient none;
	const struct spool_recipient *r = found->recipients ? &found->recipients[n] : &none;
	char text[64];

	if (r->attempts && (!str_eq(r->detail, content_version("reply", r->attempts, text)) ||
	    r->marks != (r->attempts ^ 5) || r->next_ms != r->attempts * 1000))
		model_broken(m, "a status is not what was stored");
	if (r->is_settled != (v->end && r->attempts >= v->end))
		model_broken(m, "recipient settled at version %u, not %u", r->attempts, v->end);
	compare_version(m, v, r->attempts, "recipient");
}

static bool
is_gone(const struct model_message *g, bool for_sure)
{
	for (uint32_t n = 0; n < g->recipient_count; n++)
		if (!g->recipients[n].end ||
		    (for_sure && g->recipients[n].acked < g->recipients[n].end))
			return false;
	return true;
}

/* A report is in the spool if and only if the status is that was appended together with it. */
static void
compare_parent(struct model *m, const struct model_message *g, bool is_found)
{
	struct spool_message parent;
	bool stands = true;

	if (!g->parent || g->fate != MODEL_ASKED || m->may_lose)
		return;
	if (spool_find(m->spool, g->parent->id, &parent))
		stands = parent.recipients &&
		    parent.recipients[g->parent_recipient - 1].attempts >= g->parent_version;
	if (stands != is_found)
		model_broken(m, "a report and its status came apart");
}

static void
compare_found(struct model *m, struct model_message *g, const struct spool_message *found)
{
	unsigned hold = 0;

	if (g->fate == MODEL_STORED && is_gone(g, true) && !m->may_lose)
		model_broken(m, "a finished message is back");
	if (g->fate == MODEL_REFUSED && m->good > g->refused_at + 1)
		model_broken(m, "a refused message is there");
	if (found->recipient_count != g->recipient_count)
		model_broken(m, "recipients: %u of %u", found->recipient_count, g->recipient_count);
	else
		for (uint32_t n = 0; n < g->recipient_count; n++)
			compare_recipient(m, g, found, n);
	if (found->held_why.n && sscanf(found->held_why.p, "hold %u", &hold) != 1)
		model_broken(m, "a hold is not what was stored");
	compare_version(m, &g->hold, hold, "hold");
	if (found->is_held != hold % 2)
		model_broken(m, "held is %d at version %u", found->is_held, hold);
	compare_bytes(m, g);
	if (id_ms(g->id.session) > spool_newest_ms(m->spool))
		model_broken(m, "newest time is too old: ids would come again");
	g->fate = MODEL_STORED;
}

static void
compare_message(struct model *m, struct model_message *g)
{
	struct spool_message found;

	if (spool_find(m->spool, g->id, &found)) {
		compare_found(m, g, &found);
		return;
	}
	if (g->fate == MODEL_STORED && !is_gone(g, false)) {
		m->lost++;
		if (!m->may_lose)
			model_broken(m, "an acknowledged message is lost");
	}
	g->fate = MODEL_NONE;
}

void
model_check(struct model *m)
{
	struct spool_stats stats;
	uint64_t count = 0;

	for (size_t i = 0; i < MODEL_MESSAGES; i++)
		if (m->messages[i].fate != MODEL_NONE) {
			struct spool_message unused;

			compare_parent(m, &m->messages[i],
			    spool_find(m->spool, m->messages[i].id, &unused));
		}
	for (size_t i = 0; i < MODEL_MESSAGES; i++) {
		if (m->messages[i].fate != MODEL_NONE)
			compare_message(m, &m->messages[i]);
		m->messages[i].parent = NULL;
		count += m->messages[i].fate == MODEL_STORED;
	}
	spool_stats(m->spool, &stats);
	/* the model does not know the present state of messages whose end is lost */
	if (stats.messages != count && !(m->may_lose && stats.messages > count))
		model_broken(m, "%llu messages, %llu known", (unsigned long long)stats.messages,
		    (unsigned long long)count);
	for (uint32_t n = 0; n < MODEL_NOTES; n++)
		compare_version(m, &m->notes[n], m->found_notes[n], "note");
	m->ticket_count = 0;
}
