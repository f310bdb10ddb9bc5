/*
 * lost_rig: see the header.
 */
#include "lost_rig.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "content.h"

static const char lost_words[LOST_WORDS_BYTES] = "what the queue still knows of the envelope";

static void
lost_done(int error, void *arg)
{
	struct lost_test *t = arg;

	t->done++;
	t->done_error = error;
}

/* What is left is set aside: the record follows. */
static void
lost_kept(enum lost_record_result result, void *arg)
{
	const struct lost_call *c = arg;
	struct lost_test *t = c->test;
	struct spool_recipient ends[MODEL_RECIPIENTS] = {{0}};
	struct lost_record l = {.id = c->id, .statuses = ends, .fn = lost_done, .arg = t};

	t->put_result = (int)result;
	if (result != LOST_RECORD_SET_ASIDE || t->puts_nothing)
		return;
	l.envelope = str_make(lost_words, sizeof lost_words);
	l.count = t->m.messages[0].recipient_count;
	for (uint32_t n = 0; n < l.count; n++) {
		ends[n].number = n + 1;
		ends[n].outcome = SPOOL_FAILED;
		ends[n].detail = STR("damaged");
	}
	t->put_result = (int)lost_record_append(t->m.spool, &l);
}

bool
lost_found(struct msgid id, int error, void *arg)
{
	struct lost_test *t = arg;
	struct lost_call *c = &t->calls[t->found++ % CALLS_MAX];

	t->found_error = error;
	if (!t->is_any && !msgid_eq(id, t->id))
		model_broken(&t->m, "another message was called lost");
	if (t->is_deaf)
		return false;
	*c = (struct lost_call){t, id};
	t->put_result = -1;
	t->keep_result = (int)lost_record_set_aside(t->m.spool, id, error, lost_kept, c);
	return t->keep_result == LOST_RECORD_BEGUN;
}

/* ---- the spool ---- */

static bool
lost_recovered(const struct spool_message *found, void *arg)
{
	struct lost_test *t = arg;

	if (!msgid_eq(found->id, t->id))
		return true;
	t->recovered = *found;
	t->has_words = str_eq(found->envelope, str_make(lost_words, sizeof lost_words));
	for (uint32_t n = 0; found->recipients && n < found->recipient_count; n++) {
		t->failed += found->recipients[n].outcome == SPOOL_FAILED;
		t->settled += found->recipients[n].is_settled;
	}
	return true;
}

static void
lost_note(struct str name, struct str value, void *arg)
{
	(void)name;
	(void)value;
	(void)arg;
}

bool
lost_open(struct lost_test *t)
{
	struct spool_recovery r = {.message = lost_recovered, .note = lost_note, .arg = t};
	struct spool_options o = {.io = simdisk_io(t->m.disk),
	    .segment_bytes = SPOOL_SEGMENT_MIN,
	    .threadless = true};

	t->recovered = (struct spool_message){0};
	t->has_words = false;
	t->failed = t->settled = 0;
	t->m.spool = spool_open(&o, &r);
	if (!t->m.spool)
		return false;
	lost_record_listen(t->m.spool, lost_found, t);
	return true;
}

/* Three messages; the first one is the one that will be damaged. */
struct lost_test *
lost_begin(uint64_t seed, bool in_file)
{
	struct lost_test *t = MEM_NEW(struct lost_test);

	t->m.seed = seed;
	t->m.disk = simdisk_new(seed);
	t->m.last_id = 1 << 18;
	if (!lost_open(t))
		model_broken(&t->m, "cannot be opened: errno %d", errno);
	model_submit(&t->m, 3000, in_file);
	model_submit(&t->m, 1000, false);
	model_submit(&t->m, 5000, true);
	model_turn(&t->m);
	t->id = t->m.messages[0].id;
	return t;
}

bool
lost_end(struct lost_test *t)
{
	bool is_good = t->m.faults == 0;

	model_close(&t->m);
	simdisk_free(&t->m.disk);
	mem_free(t);
	return is_good;
}

struct stored_message *
lost_item(const struct lost_test *t)
{
	return index_find(&t->m.spool->index, t->id);
}

uint64_t
lost_segments(struct lost_test *t)
{
	struct spool_stats stats;

	spool_stats(t->m.spool, &stats);
	return stats.segments;
}

void
lost_flip(struct lost_test *t)
{
	const struct stored_message *i = lost_item(t);
	char name[SEGMENT_NAME_BYTES];
	struct str bytes = simdisk_bytes(t->m.disk, segment_name(i->segment->slot, name));

	((char *)(uintptr_t)bytes.p)[i->offset + 150] ^= 1;
}

void
lost_bad_place(struct lost_test *t, char name[SEGMENT_NAME_BYTES])
{
	const struct stored_message *i = lost_item(t);

	simdisk_bad_place(t->m.disk, segment_name(i->segment->slot, name), i->offset + 100,
	    i->offset + 120);
}

/* As if the next attempt were due, and the first one had been an hour ago. */
void
lost_age(struct lost_test *t, int64_t ms)
{
	struct stored_message *i = lost_item(t);

	if (!i || !stored_message_extra(i)->wait)
		return;
	i->extra->wait->since_ms -= ms;
	i->extra->wait->next_ms = 0;
	i->segment->retry_ms = 1;
}

/* In one turn the spool's own reads are requested, in the next their results are handled. */
void
lost_turns(struct lost_test *t, unsigned count)
{
	while (count--)
		model_turn(&t->m);
}

/* Runs turns until an attempt to set the message aside has its result. */
void
lost_try(struct lost_test *t)
{
	lost_found(t->id, EBADMSG, t);
	lost_turns(t, 3);
}

/* ---- expected results ---- */

/* Settles the lost message, as a queue does after it has stored the report. */
void
lost_settle(struct lost_test *t)
{
	struct spool_entry e[MODEL_RECIPIENTS];
	struct spool_batch b = {.entries = e};

	b.count = t->m.messages[0].recipient_count;
	for (uint32_t n = 0; n < b.count; n++) {
		e[n] = (struct spool_entry){.kind = SPOOL_STATUS, .id = t->id};
		e[n].status.number = n + 1;
		e[n].status.outcome = SPOOL_FAILED;
		e[n].status.is_settled = true;
	}
	if (spool_append(t->m.spool, &b) != 0)
		model_broken(&t->m, "cannot be settled: errno %d", errno);
	model_turn(&t->m);
	model_turn(&t->m);
	t->m.messages[0].fate = MODEL_NONE;
}

void
lost_expect_files(struct lost_test *t, bool is_whole)
{
	static struct content c;
	const struct model_message *g = &t->m.messages[0];
	char id[ID_NUMBER_TEXT_BYTES], name[64];
	struct str all;

	content_make(g, &c);
	snprintf(name, sizeof name, "%s.aside", msgid_text(t->id, 0, id));
	all = simdisk_bytes(t->m.disk, name);
	if (!memmem(all.p, all.n, id, strlen(id)))
		model_broken(&t->m, "%s has %zu bytes and not the id", name, all.n);
	if (is_whole && !g->in_file && !memmem(all.p, all.n, c.body + 500, 2000))
		model_broken(&t->m, "%s does not hold what is left of the body", name);
	snprintf(name, sizeof name, "%s.body.aside", id);
	if (g->in_file && !str_eq(simdisk_bytes(t->m.disk, name), str_make(c.body, g->body_bytes)))
		model_broken(&t->m, "%s does not hold the body", name);
	snprintf(name, sizeof name, "%s.body", id);
	if (simdisk_bytes(t->m.disk, name).p)
		model_broken(&t->m, "%s is still there", name);
}

void
lost_expect_state(struct lost_test *t)
{
	uint32_t count = t->m.messages[0].recipient_count;

	if (!t->has_words || t->failed != count || t->settled)
		model_broken(&t->m, "after the start: words %d, %u of %u failed, %u settled",
		    t->has_words, t->failed, count, t->settled);
}

/* The same is found after a start, and once it is settled nothing is left but the files. */
void
lost_expect_lost(struct lost_test *t, bool is_whole)
{
	if (t->done != 1 || t->done_error)
		model_broken(&t->m, "%u ends, errno %d, put result %d, found %u", t->done,
		    t->done_error, t->put_result, t->found);
	lost_expect_files(t, is_whole);
	model_churn(&t->m, 100);
	if (lost_segments(t) > SEGMENTS_FEW)
		model_broken(&t->m, "%llu segments", (unsigned long long)lost_segments(t));
	model_close(&t->m);
	if (!lost_open(t)) {
		model_broken(&t->m, "cannot be opened: errno %d", errno);
		return;
	}
	lost_expect_state(t);
	lost_settle(t);
	lost_expect_files(t, is_whole);
	model_check(&t->m);
}
