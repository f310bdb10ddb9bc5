/*
 * model: see the header.
 */
#include "model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "content.h"

enum { LIVE_MAX = 60 };

void
model_broken(struct model *m, const char *format, ...)
{
	va_list args;

	m->faults++;
	if (m->is_quiet)
		return;
	printf("# seed %llu: ", (unsigned long long)m->seed);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

/* ---- requests ---- */

static void
answered(int error, void *arg)
{
	struct model_ticket *t = arg;
	struct model *m = t->model;

	m->good += error == 0;
	m->bad += error != 0;
	if (t->message && error) {
		t->message->fate = MODEL_REFUSED;
		t->message->refused_at = m->good;
	} else if (t->message) {
		t->message->fate = MODEL_STORED;
		m->acked++;
	}
	if (t->version && !error && t->asked > t->version->acked)
		t->version->acked = t->asked;
}

static struct model_ticket *
ticket(struct model *m)
{
	struct model_ticket *t;

	if (m->ticket_count == MODEL_TICKETS)
		return NULL;
	t = &m->tickets[m->ticket_count++];
	*t = (struct model_ticket){.model = m};
	return t;
}

static struct model_message *
new_message(struct model *m)
{
	for (size_t i = 0; i < MODEL_MESSAGES; i++)
		if (m->messages[i].fate == MODEL_NONE) {
			struct model_message *g = &m->messages[i];

			*g = (struct model_message){.recipient_count = 1};
			m->last_id += (1 << 18) + simdisk_draw(m->disk, 1000);
			g->id = (struct msgid){m->last_id, 1 + (uint32_t)simdisk_draw(m->disk, 3)};
			return g;
		}
	return NULL;
}

static int
make_file(struct model *m, const struct content *c, size_t n)
{
	struct fsio *io = simdisk_io(m->disk);
	int fd = spool_file(m->spool);
	size_t done = 0;

	while (fd >= 0 && done < n) {
		struct iovec v = {(char *)(uintptr_t)c->body + done, n - done};
		ssize_t got = io->ops->pwritev(io, fd, &v, 1, (off_t)done);

		if (got <= 0) {
			spool_file_drop(m->spool, fd);
			return -1;
		}
		done += (size_t)got;
	}
	return fd;
}

static bool
describe(struct model *m, struct model_message *g, struct content *c, struct spool_entry *e)
{
	content_make(g, c);
	*e = (struct spool_entry){.kind = SPOOL_MESSAGE, .id = g->id};
	e->message.recipient_count = g->recipient_count;
	e->message.envelope = str_make(c->envelope, sizeof c->envelope);
	e->message.header = str_make(c->header, c->header_bytes);
	e->message.in_file = g->in_file;
	e->message.fd = -1;
	if (!g->in_file)
		e->message.body = str_make(c->body, g->body_bytes);
	else
		e->message.fd = make_file(m, c, g->body_bytes);
	return !g->in_file || e->message.fd >= 0;
}

static bool
append(struct model *m, const struct spool_entry *e, size_t count, struct model_ticket *t)
{
	struct spool_batch b = {e, count, SPOOL_NOW, answered, t};

	if (simdisk_draw(m->disk, 3) == 0)
		b.urgency = SPOOL_LAZY;
	return spool_append(m->spool, &b) == 0;
}

bool
model_submit(struct model *m, size_t body_bytes, bool in_file)
{
	static struct content c;
	struct model_message *g = new_message(m);
	struct model_ticket *t = ticket(m);
	struct spool_entry e;

	if (!g || !t)
		return false;
	g->recipient_count = 1 + (uint32_t)simdisk_draw(m->disk, MODEL_RECIPIENTS);
	g->body_bytes = body_bytes;
	g->in_file = in_file;
	t->message = g;
	if (!describe(m, g, &c, &e))
		return false;
	if (!append(m, &e, 1, t)) {
		if (e.message.fd >= 0)
			spool_file_drop(m->spool, e.message.fd);
		return false;
	}
	g->fate = MODEL_ASKED;
	return true;
}

static void
status_entry(struct model_message *g, uint32_t n, bool is_last, char text[64],
    struct spool_entry *e)
{
	struct model_version *v = &g->recipients[n - 1];

	v->asked++;
	if (is_last)
		v->end = v->asked;
	*e = (struct spool_entry){.kind = SPOOL_STATUS, .id = g->id};
	e->status = (struct spool_recipient){.number = n,
	    .outcome = is_last ? SPOOL_FAILED : SPOOL_DEFERRED,
	    .is_settled = is_last,
	    .attempts = v->asked,
	    .next_ms = v->asked * 1000,
	    .marks = v->asked ^ 5,
	    .detail = content_version("reply", v->asked, text)};
}

static bool
unasked(struct model_version *v)
{
	if (v->end == v->asked)
		v->end = 0;
	v->asked--;
	return false;
}

static bool
act_status(struct model *m, struct model_message *g)
{
	static struct content c;
	uint32_t n = 1 + (uint32_t)simdisk_draw(m->disk, g->recipient_count);
	bool is_last = simdisk_draw(m->disk, 3) > 0;
	struct model_ticket *t = ticket(m), *second = ticket(m);
	struct model_message *report = NULL;
	struct spool_entry e[2];
	char text[64];

	if (!t || !second || g->recipients[n - 1].end)
		return t && second;
	status_entry(g, n, is_last, text, &e[0]);
	t->version = &g->recipients[n - 1];
	t->asked = t->version->asked;
	if (is_last && simdisk_draw(m->disk, 4) == 0)
		report = new_message(m);
	if (report) {
		report->body_bytes = simdisk_draw(m->disk, 1000);
		report->parent = g;
		report->parent_recipient = n;
		report->parent_version = t->asked;
		t->message = report;
		describe(m, report, &c, &e[1]);
	}
	if (!append(m, e, report ? 2 : 1, t))
		return unasked(t->version);
	if (report)
		report->fate = MODEL_ASKED;
	return true;
}

static bool
finish(struct model *m, struct model_message *g, uint32_t n)
{
	struct model_ticket *t = ticket(m);
	struct spool_entry e;
	char text[64];

	if (!t || g->recipients[n - 1].end)
		return false;
	status_entry(g, n, true, text, &e);
	t->version = &g->recipients[n - 1];
	t->asked = t->version->asked;
	return append(m, &e, 1, t) || unasked(t->version);
}

void
model_finish(struct model *m, unsigned recipients)
{
	for (size_t i = 0; i < MODEL_MESSAGES; i++) {
		struct model_message *g = &m->messages[i];

		for (uint32_t n = 1; g->fate == MODEL_STORED && n <= g->recipient_count; n++)
			if (recipients && finish(m, g, n))
				recipients--;
	}
}

void
model_finish_all(struct model *m)
{
	for (size_t i = 0; i < MODEL_MESSAGES; i++) {
		struct model_message *g = &m->messages[i];

		for (uint32_t n = 1; g->fate == MODEL_STORED && n <= g->recipient_count; n++)
			finish(m, g, n);
		if (i % 8 == 7)
			model_turn(m);
	}
	model_turn(m);
	model_turn(m);
}

static bool
act_hold(struct model *m, struct model_message *g)
{
	struct spool_entry e = {.kind = SPOOL_HOLD, .id = g->id};
	struct model_ticket *t = ticket(m);
	char text[64];

	if (!t)
		return false;
	t->version = &g->hold;
	t->asked = ++g->hold.asked;
	e.hold.is_held = t->asked % 2;
	e.hold.why = content_version("hold", t->asked, text);
	return append(m, &e, 1, t) || unasked(&g->hold);
}

static bool
act_note(struct model *m)
{
	static char value[4000];
	struct spool_entry e = {.kind = SPOOL_NOTE};
	struct model_ticket *t = ticket(m);
	uint32_t n = (uint32_t)simdisk_draw(m->disk, MODEL_NOTES);
	char name[64];

	if (!t)
		return false;
	t->version = &m->notes[n];
	t->asked = ++m->notes[n].asked;
	content_fill(n, value, sizeof value);
	memcpy(value, &t->asked, 4);
	e.note.name = content_version("note", n, name);
	e.note.value = str_make(value, 4 + simdisk_draw(m->disk, sizeof value - 4));
	return append(m, &e, 1, t) || unasked(&m->notes[n]);
}

static struct model_message *
some_message(struct model *m, unsigned *live_out)
{
	size_t from = simdisk_draw(m->disk, MODEL_MESSAGES);
	struct model_message *found = NULL;

	*live_out = 0;
	for (size_t i = 0; i < MODEL_MESSAGES; i++) {
		struct model_message *g = &m->messages[(from + i) % MODEL_MESSAGES];
		struct spool_message unused;

		if (g->fate != MODEL_STORED || !spool_find(m->spool, g->id, &unused))
			continue;
		++*live_out;
		found = g;
	}
	return found;
}

bool
model_act(struct model *m)
{
	unsigned live, choice = (unsigned)simdisk_draw(m->disk, 100);
	struct model_message *g = some_message(m, &live);

	if (choice < 5)
		model_read(m);
	else if (choice < 30)
		model_turn(m);
	else if (choice < 33)
		return act_note(m);
	else if (g && choice < 37)
		return act_hold(m, g);
	else if (g && (choice < 65 || live > LIVE_MAX))
		return act_status(m, g);
	else if (choice < 70)
		return model_submit(m, 1 + simdisk_draw(m->disk, 9000), true);
	else
		return model_submit(m, simdisk_draw(m->disk, 3000), false);
	return true;
}

void
model_turn(struct model *m)
{
	spool_step(m->spool);
	spool_dispatch(m->spool);
}

void
model_churn(struct model *m, unsigned messages)
{
	for (unsigned n = 0; n < messages; n++) {
		struct spool_entry e[2] = {{.kind = SPOOL_MESSAGE}, {.kind = SPOOL_STATUS}};
		struct spool_batch b = {.entries = e, .count = 2};
		static char body[3000];

		m->last_id += 1 << 18;
		e[0].id = e[1].id = (struct msgid){m->last_id, 1};
		e[0].message.recipient_count = 1;
		e[0].message.body = str_make(body, sizeof body);
		e[1].status.number = 1;
		e[1].status.outcome = SPOOL_DONE;
		e[1].status.is_settled = true;
		if (spool_append(m->spool, &b) != 0)
			model_broken(m, "append: errno %d", errno);
		model_turn(m);
	}
}

/* ---- opening ---- */

static bool
recovered_message(const struct spool_message *found, void *arg)
{
	struct model *m = arg;

	if (found->envelope.n != 64)
		model_broken(m, "recovery gives %zu bytes of envelope", found->envelope.n);
	return true;
}

static void
recovered_note(struct str name, struct str value, void *arg)
{
	struct model *m = arg;
	unsigned n = MODEL_NOTES;

	if (sscanf(name.p, "note %u", &n) == 1 && n < MODEL_NOTES && value.n >= 4)
		memcpy(&m->found_notes[n], value.p, 4);
	else
		model_broken(m, "a strange note");
}

struct model *
model_new(uint64_t seed)
{
	struct model *m = MEM_NEW(struct model);

	m->seed = seed;
	m->disk = simdisk_new(seed);
	m->last_id = 1 << 18;
	return m;
}

bool
model_open(struct model *m, const struct spool_options *o)
{
	struct spool_recovery r = {.message = recovered_message, .note = recovered_note, .arg = m};

	memset(m->found_notes, 0, sizeof m->found_notes);
	m->spool = NULL;
	m->spool = spool_open(o, &r);
	return m->spool != NULL;
}

void
model_close(struct model *m)
{
	spool_close(&m->spool);
}

void
model_expect_work(struct model *m)
{
	uint64_t before = m->good;

	simdisk_fail(m->disk, (struct simdisk_fault){0});
	for (int n = 0; n < 4; n++)
		model_turn(m);
	if (!model_submit(m, 500, false))
		model_broken(m, "refuses to work afterwards: errno %d", errno);
	model_turn(m);
	if (m->good == before)
		model_broken(m, "does not work afterwards");
}

void
model_reopen(struct model *m, const struct spool_options *o)
{
	if (!model_open(m, o)) {
		model_broken(m, "cannot be opened: errno %d", errno);
		return;
	}
	model_check(m);
}

unsigned
model_end(struct model *m)
{
	unsigned faults = m->faults;

	model_close(m);
	simdisk_free(&m->disk);
	mem_free(m);
	return faults;
}
