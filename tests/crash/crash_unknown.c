/*
 * crash_unknown: what this version does not understand.  Entries of a newer version are kept through
 * compaction, or stop the start where they must be understood; so do newer frames and segments.  An
 * envelope that means nothing is set aside, also when the power fails meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/log.h"
#include "base/mem.h"
#include "content.h"
#include "model.h"
#include "queue/store.h"

static const struct spool_options options = {
    .segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};

static bool
unknown_open(struct model *m)
{
	struct spool_options o = options;

	o.io = simdisk_io(m->disk);
	return model_open(m, &o);
}

static bool
unknown_end(struct model *m)
{
	bool is_good = m->faults == 0;

	model_close(m);
	simdisk_free(&m->disk);
	mem_free(m);
	return is_good;
}

/* ---- a frame as a newer version writes it ---- */

struct newer {
	uint32_t type;
	uint32_t version;                /* of the frame; 0: this one's */
	bool has_message;                /* speaks of the model's first message */
};

static const char marker[] = "an entry of a newer version";

static void
newer_payload(const struct model *m, const struct newer *w, struct buf *out)
{
	struct spool_entry hold = {.kind = SPOOL_HOLD, .id = m->messages[0].id};
	struct spool_entry new = {.kind = SPOOL_UNKNOWN};

	new.unknown.type = w->type;
	new.unknown.bytes = str_make(marker, sizeof marker);
	buf_init(out, 4096);
	if (w->has_message)
		record_put(out, &hold, 0);
	record_put(out, &new, 0);
}

/* Behind all frames of the newest segment; the spool is closed afterwards. */
static void
newer_append(struct model *m, const struct newer *w)
{
	const struct segment *g = m->spool->index.newest;
	struct record_frame f = {.tag = g->tag,
	    .sequence = m->spool->writer.sequence + 1,
	    .durable = m->spool->writer.sequence,
	    .entries = 1,
	    .version = w->version};
	uint32_t at = m->spool->writer.at;
	char name[SEGMENT_NAME_BYTES], *p;
	struct buf payload;

	newer_payload(m, w, &payload);
	f.payload_bytes = (uint32_t)payload.n;
	f.payload_crc = crc32c(0, payload.p, payload.n);
	f.span = record_span(payload.n);
	segment_name(g->slot, name);
	p = (char *)(uintptr_t)simdisk_bytes(m->disk, name).p + at;
	record_frame_write(&f, p);
	memcpy(p + RECORD_HEADER_BYTES, payload.p, payload.n);
	buf_clear(&payload);
	model_close(m);
}

static unsigned
newer_count(const struct model *m)
{
	const struct unknown *u = m->spool->index.unknown.first;
	unsigned count = 0;

	for (; u; u = u->next)
		count += str_eq(u->bytes, str_make(marker, sizeof marker));
	return count;
}

static struct model *
newer_spool(const struct newer *w)
{
	struct model *m = model_new(7);

	if (!unknown_open(m))
		model_broken(m, "cannot be opened");
	model_submit(m, 1000, false);
	model_submit(m, 1000, false);
	model_turn(m);
	newer_append(m, w);
	return m;
}

static bool
newer_is_refused(const struct newer *w)
{
	struct model *m = newer_spool(w);

	if (unknown_open(m) || errno != EPROTO)
		model_broken(m, "type %u, version %u: not refused: errno %d", w->type, w->version,
		    errno);
	return unknown_end(m);
}

static bool
critical_types_are_refused(void)
{
	static const struct newer rows[] = {
	    {32768, 0, false}, {32769, 0, true}, {65536, 0, false}, {65537, 0, true},
	    {1u << 17, 0, false}, {UINT32_MAX, 0, false}, {99, 2, false}, {2000, UINT32_MAX, true}};
	bool all = true;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		all &= newer_is_refused(&rows[i]);
	return all;
}

static bool
newer_is_kept(const struct newer *w)
{
	struct model *m = newer_spool(w);

	for (int round = 0; round < 3; round++) {
		if (!unknown_open(m)) {
			model_broken(m, "refused: errno %d", errno);
			return unknown_end(m);
		}
		if (newer_count(m) != 1)
			model_broken(m, "round %d: %u entries", round, newer_count(m));
		model_churn(m, 300);
		if (newer_count(m) != 1 || m->spool->index.segment_count > 8)
			model_broken(m, "after compaction: %u entries in %llu segments",
			    newer_count(m), (unsigned long long)m->spool->index.segment_count);
		model_close(m);
	}
	if (!unknown_open(m))
		model_broken(m, "refused at the end");
	model_check(m);
	/* it ends with its message, where it has one */
	model_finish_all(m);
	if (newer_count(m) != (w->has_message ? 0 : 1))
		model_broken(m, "%u entries of finished messages", newer_count(m));
	return unknown_end(m);
}

static bool
other_types_are_kept(void)
{
	static const struct newer rows[] = {{6, 0, false}, {99, 0, true}, {32767, 1, true}};
	bool all = true;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		all &= newer_is_kept(&rows[i]);
	return all;
}

/* A segment's header with this version, and the checksum that belongs to it. */
static void
set_header_version(struct model *m, uint32_t version)
{
	struct str s = simdisk_bytes(m->disk, "seg-00000001");
	char *p = (char *)(uintptr_t)s.p;
	uint32_t crc;

	memcpy(p + 8, &version, 4);
	crc = crc32c(0, p, 36);
	memcpy(p + 36, &crc, 4);
}

static bool
newer_segments_are_refused(void)
{
	struct model *m = model_new(8);
	struct spool_options o = options;

	if (!unknown_open(m))
		model_broken(m, "cannot be opened");
	model_submit(m, 1000, false);
	model_turn(m);
	model_close(m);
	set_header_version(m, 2);
	if (unknown_open(m) || errno != EPROTO)
		model_broken(m, "not refused: errno %d", errno);
	model_close(m);
	/* damage may be accepted, a newer version may not */
	o.io = simdisk_io(m->disk);
	o.accept_damage = true;
	if (model_open(m, &o) || errno != EPROTO)
		model_broken(m, "not refused where damage is accepted: errno %d", errno);
	model_close(m);
	set_header_version(m, 1);
	if (unknown_open(m))
		model_check(m);
	else
		model_broken(m, "changed although it was refused");
	return unknown_end(m);
}

/* ---- envelopes that mean nothing ---- */

struct meaning {
	struct msgid nothing;            /* this one's envelope is not understood */
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
	struct spool_recovery r = {meaning_message, meaning_note, g};
	struct spool_options o = options;

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

/* cut: at which act of the start the power fails; 0: it does not. */
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
	/* twice: what was not finished is, and then it is gone */
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

/* ---- all ---- */

static const struct unknown_case {
	const char *what;
	bool (*fn)(void);
} cases[] = {
    {"entries that must be understood, and newer frames, stop the start",
	critical_types_are_refused},
    {"other entries of a newer version are kept through compaction", other_types_are_kept},
    {"a newer segment stops the start", newer_segments_are_refused},
    {"an envelope that is not understood is set aside",
	envelopes_without_meaning_are_set_aside},
};

int
main(void)
{
	size_t count = sizeof cases / sizeof *cases;
	bool all = true;

	log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_TO_FILE);
	printf("1..%zu\n", count);
	for (size_t i = 0; i < count; i++) {
		bool is_good = cases[i].fn();

		printf("%sok %zu - %s\n", is_good ? "" : "not ", i + 1, cases[i].what);
		all &= is_good;
	}
	return !all;
}
