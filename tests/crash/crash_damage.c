/*
 * crash_damage: segment files as they are after real work, changed in 1,000 ways: bits, bytes,
 * blocks of random bytes or zeros, blocks moved, files truncated or exchanged.  The program never
 * crashes; what is in unchanged frames is delivered, byte for byte.  A damaged header loses
 * nothing.  A start may be refused where messages are certainly lost; with --accept-damage it
 * succeeds.  For each lost message the log has a line with its id, or one that says between which
 * lines it was accepted; except for the last write, which a power cut may have torn.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cases.h"
#include "model.h"
#include "spool/spool_internal.h"

enum { MUTATIONS = 1000, MESSAGES = 60, SLOTS = 12 };

static unsigned told_count;

static struct str
pick_segment(struct model *m, char name[24])
{
	for (int tries = 0; tries < 200; tries++) {
		struct str s;

		snprintf(name, 24, "seg-%08u", (unsigned)(1 + simdisk_draw(m->disk, SLOTS)));
		s = simdisk_bytes(m->disk, name);
		if (s.n > 4096)
			return s;
	}
	die("no segments");
}

static void
noise(struct model *m, char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)simdisk_draw(m->disk, 256);
}

/* Changes some bytes; returns how many messages at most are in them. */
static unsigned
mutate(struct model *m)
{
	char name[24];
	struct str s = pick_segment(m, name);
	char *p = (char *)(uintptr_t)s.p;
	size_t at = simdisk_draw(m->disk, s.n), n = 1 + simdisk_draw(m->disk, 4096);

	n = n < s.n - at ? n : s.n - at;
	switch (simdisk_draw(m->disk, 7)) {
	case 0:
		p[at] ^= (char)(1 << simdisk_draw(m->disk, 8));
		return at < 4096 ? 0 : 1;
	case 1:
		p[at] = (char)~p[at];
		return at < 4096 ? 0 : 1;
	case 2:
		noise(m, p + at, n);
		break;
	case 3:
		memset(p + at, 0, n);
		break;
	case 4:
		memmove(p + at, p + simdisk_draw(m->disk, s.n - n + 1), n);
		break;
	case 5:
		simdisk_truncate(m->disk, name, at);
		return MESSAGES;
	default:
		noise(m, p, simdisk_draw(m->disk, 64));
		return 0;
	}
	/* each frame begins at a sector of its own: n bytes touch at most so many */
	return at < 4096 ? MESSAGES : (unsigned)(n / 512 + 2);
}

/* A refusal mentions acknowledged messages, and names a way to continue. */
static bool
damage_open(struct model *m, const struct spool_options *o)
{
	struct spool_options accepting = *o;

	if (model_open(m, o))
		return true;
	accepting.accept_damage = true;
	return errno == ENOTRECOVERABLE && model_open(m, &accepting);
}

/* ---- log lines about lost messages ---- */

static bool
is_newer(struct msgid a, struct msgid b)
{
	return a.session != b.session ? a.session > b.session : a.number > b.number;
}

/* The id after these words of the line; session 0: the words are not there. */
static struct msgid
id_behind(const char *line, const char *words)
{
	const char *p = strstr(line, words);
	struct msgid id = {0, 0};
	uint32_t recipient;

	if (!p)
		return id;
	p += strlen(words);
	if (!msgid_parse(str_make(p, strcspn(p, "\"")), &id, &recipient))
		die("no id in: %s", line);
	return id;
}

static bool
is_told_by(const char *line, struct msgid id)
{
	struct msgid from = id_behind(line, "after the first line with \"id=");
	struct msgid to = id_behind(line, "before the first line with \"id=");
	char text[ID_NUMBER_TEXT_BYTES];

	if (strstr(line, msgid_text(id, 0, text)))
		return true;
	return strstr(line, "accept lines") && (!from.session || is_newer(id, from)) &&
	    (!to.session || is_newer(to, id));
}

/* Does the spool hold no message that was stored later? */
static bool
is_last(const struct model *m, const struct model_message *g)
{
	for (unsigned n = 0; n < MODEL_MESSAGES; n++)
		if (is_newer(m->messages[n].id, g->id) &&
		    index_find(&m->spool->index, m->messages[n].id))
			return false;
	return true;
}

static void
check_told(struct model *m)
{
	for (unsigned n = 0; n < MODEL_MESSAGES; n++) {
		const struct model_message *g = &m->messages[n];
		char *text, *rest, *line;
		bool is_told = false;

		if (g->fate != MODEL_STORED || index_find(&m->spool->index, g->id) ||
		    is_last(m, g))
			continue;
		rest = text = cases_log();
		while ((line = strsep(&rest, "\n")) && !is_told)
			is_told = is_told_by(line, g->id);
		mem_free(text);
		told_count += is_told;
		if (!is_told)
			model_broken(m, "message %u is lost without a word", n);
	}
}

static bool
run(uint64_t seed, uint64_t *lost)
{
	struct model *m = MEM_NEW(struct model);
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};
	unsigned allowed;
	bool is_good;

	m->seed = seed;
	m->disk = simdisk_new(seed);
	m->last_id = 1 << 18;
	o.io = simdisk_io(m->disk);
	is_good = model_open(m, &o);
	for (int n = 0; n < MESSAGES && is_good; n++) {
		bool in_file = simdisk_draw(m->disk, 9) == 0;

		is_good = model_submit(m, 1000 + simdisk_draw(m->disk, 2000), in_file);
		model_turn(m);
	}
	model_close(m);
	allowed = mutate(m);
	m->may_lose = true;
	is_good = is_good && damage_open(m, &o);
	if (is_good) {
		check_told(m);
		model_check(m);
	}
	if (m->lost > allowed)
		model_broken(m, "%u messages lost, %u at most were touched", m->lost, allowed);
	*lost += m->lost;
	/* the spool still works */
	is_good = is_good && model_submit(m, 10, false);
	model_turn(m);
	is_good = is_good && m->acked == MESSAGES + 1 && m->faults == 0;
	model_close(m);
	simdisk_free(&m->disk);
	mem_free(m);
	return is_good;
}

int
main(void)
{
	uint64_t lost = 0;
	int bad = 0;

	cases_open_log();
	printf("1..1\n");
	for (uint64_t seed = 1; seed <= MUTATIONS; seed++) {
		cases_empty_log();
		if (!run(seed, &lost) && bad++ < 5)
			printf("# seed %llu failed\n", (unsigned long long)seed);
	}
	printf("# %d mutations, %llu of %d messages lost with the bytes that were destroyed\n",
	    MUTATIONS, (unsigned long long)lost, MUTATIONS * MESSAGES);
	printf("# %u messages that are not the last ones are told\n", told_count);
	printf("%sok 1 - damaged segments\n", bad || !lost || !told_count ? "not " : "");
	return bad != 0;
}
