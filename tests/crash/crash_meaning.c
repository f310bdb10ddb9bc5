/*
 * crash_meaning: a message whose envelope cannot be decoded is set aside, also when the power fails
 * meanwhile.
 */
#include <errno.h>
#include <stdio.h>

#include "cases.h"
#include "content.h"
#include "spool/spool_internal.h"
#include "unknown_rig.h"

/* ---- envelopes that cannot be decoded ---- */

struct meaning {
	struct msgid nothing;            /* the envelope of this one is not understood */
	unsigned told;
	unsigned messages;
};

static bool
meaning_message(const struct spool_message *found, void *arg)
{
	struct meaning *g = arg;

	g->messages++;
	g->told += msgid_eq(found->id, g->nothing);
	return !msgid_eq(found->id, g->nothing);
}

static void
meaning_note(struct str name, struct str value, void *arg)
{
	(void)name;
	(void)value;
	(void)arg;
}

static bool
meaning_open(struct model *m, struct meaning *g)
{
	struct spool_recovery r = {.message = meaning_message, .note = meaning_note, .arg = g};
	struct spool_options o = unknown_options;

	o.io = simdisk_io(m->disk);
	g->told = g->messages = 0;
	m->spool = spool_open(&o, &r);
	return m->spool != NULL;
}

static void
meaning_expect_file(struct model *m, const struct model_message *g)
{
	static struct content c;
	char id[ID_NUMBER_TEXT_BYTES], name[64];
	size_t inline_bytes = g->in_file ? 0 : g->body_bytes;
	struct str all;

	content_make(g, &c);
	snprintf(name, sizeof name, "%s.aside", msgid_text(g->id, 0, id));
	all = simdisk_bytes(m->disk, name);
	if (all.n < inline_bytes || !memmem(all.p, all.n, c.envelope, sizeof c.envelope) ||
	    !str_eq(str_from(all, all.n - inline_bytes), str_make(c.body, inline_bytes)))
		model_broken(m, "%s has %zu bytes", name, all.n);
	snprintf(name, sizeof name, "%s.body.aside", id);
	if (g->in_file && !str_eq(simdisk_bytes(m->disk, name), str_make(c.body, g->body_bytes)))
		model_broken(m, "%s does not hold the body", name);
}

/* cut: at which operation of the start the power fails; 0: it does not. */
static bool
set_aside_with_a_cut(uint64_t cut, bool in_file, bool *was_cut_out)
{
	struct model *m = model_new(100 + cut);
	struct meaning g = {0};

	if (!unknown_open(m))
		model_broken(m, "cannot be opened");
	model_submit(m, 500, in_file);
	model_submit(m, 500, false);
	model_turn(m);
	model_close(m);
	g.nothing = m->messages[0].id;
	simdisk_cut(m->disk, cut);
	if (meaning_open(m, &g))
		for (int n = 0; n < 3; n++)
			model_turn(m);
	*was_cut_out = simdisk_is_cut(m->disk);
	model_close(m);
	simdisk_restart(m->disk);
	/* twice: the second start completes what the first did not, and then the message is
	 * removed */
	for (int n = 0; n < 2; n++) {
		if (!meaning_open(m, &g))
			model_broken(m, "cannot be opened: errno %d", errno);
		for (int turns = 0; m->spool && turns < 3; turns++)
			model_turn(m);
		model_close(m);
	}
	if (g.told || g.messages != 1)
		model_broken(m, "cut %llu: told %u of %u", (unsigned long long)cut, g.told,
		    g.messages);
	meaning_expect_file(m, &m->messages[0]);
	return unknown_end(m);
}

static bool
envelopes_without_meaning_are_set_aside(void)
{
	bool all = set_aside_with_a_cut(0, false, &(bool){false});
	bool was_cut = true;
	unsigned cuts = 0;

	all &= set_aside_with_a_cut(0, true, &was_cut);
	was_cut = true;
	for (uint64_t cut = 1; was_cut && cut < 100; cut++, cuts++)
		all &= set_aside_with_a_cut(cut, cut % 2, &was_cut);
	printf("# the power failed at each of %u acts\n", cuts);
	return all && cuts > 5;
}

static const struct crash_case meaning_cases[] = {
    {"an envelope that is not understood is set aside",
	envelopes_without_meaning_are_set_aside},
};

int
main(void)
{
	return cases_run(meaning_cases, sizeof meaning_cases / sizeof *meaning_cases);
}
