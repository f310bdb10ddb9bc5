/*
 * batch: frames are built here completely, except for what depends on their place in the log (tag,
 * sequence number).
 */
#include "spool/batch.h"

#include <errno.h>
#include <string.h>

#include "base/block_sums.h"
#include "base/clock.h"
#include "base/crc.h"
#include "base/mem.h"

enum { BATCH_BYTES_MAX = SPOOL_WAITING_MAX + (4 << 20), BATCH_RETAINED_BYTES = 20 << 20 };

struct batch *
batch_new(void)
{
	struct batch *b = MEM_NEW(struct batch);

	buf_init(&b->bytes, BATCH_BYTES_MAX);
	return b;
}

void
batch_free(struct batch **b)
{
	if (!*b)
		return;
	buf_clear(&(*b)->bytes);
	mem_free((*b)->commits);
	mem_free(*b);
	*b = NULL;
}

void
batch_list_clear(struct batch_list *list)
{
	struct batch *b;

	while ((b = STAILQ_FIRST(list))) {
		STAILQ_REMOVE_HEAD(list, link);
		batch_free(&b);
	}
}

void
batch_reset(struct batch *b)
{
	if (b->bytes.cap > BATCH_RETAINED_BYTES)
		buf_clear(&b->bytes);
	buf_reset(&b->bytes);
	b->count = 0;
	b->is_urgent = false;
	b->opened = NULL;
	b->syncs = 0;
	b->sync_ms = 0;
}

static struct batch_commit *
add_batch_commit(struct batch *b)
{
	struct batch_commit *c;

	if (b->count == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 64;
		b->commits = mem_grow(b->commits, b->cap * sizeof *b->commits);
	}
	c = &b->commits[b->count++];
	*c = (struct batch_commit){.fd = -1};
	return c;
}

static void
set_commit_body(struct batch_commit *c, const struct spool_entry *e)
{
	c->is_bulk = true;
	if (!e->message.in_file)
		return;
	c->fd = e->message.fd;
	c->id = e->id;
}

static void
pad_frame(struct buf *bytes, size_t n)
{
	static const char zeros[FRAME_ALIGN];

	buf_add(bytes, zeros, n);
}

static void
put_batch_entry(struct buf *bytes, const struct spool_entry *e, uint64_t file_bytes)
{
	bool has_body = e->kind == SPOOL_MESSAGE && !e->message.in_file;

	frame_put_entry(bytes, e, has_body ? e->message.body.n : file_bytes);
}

struct batch_commit *
batch_add(struct batch *b, const struct spool_batch *added, uint64_t body_bytes, int64_t newest_ms)
{
	size_t start = b->bytes.n, sums_at = 0, payload;
	struct frame_header f = {.newest_ms = newest_ms, .entries = (uint32_t)added->count};
	struct batch_commit *c;

	pad_frame(&b->bytes, FRAME_HEADER_BYTES);
	for (size_t i = 0; i < added->count; i++) {
		put_batch_entry(&b->bytes, &added->entries[i], body_bytes);
		if (added->entries[i].kind == SPOOL_MESSAGE && added->entries[i].message.in_file)
			sums_at = b->bytes.n - block_sums_bytes(body_bytes);
	}
	payload = b->bytes.n - start - FRAME_HEADER_BYTES;
	f.span = frame_span(payload);
	pad_frame(&b->bytes, f.span - FRAME_HEADER_BYTES - payload);
	if (!buf_ok(&b->bytes)) {
		b->bytes.n = start;
		b->bytes.over = false;
		return NULL;
	}
	f.payload_bytes = (uint32_t)payload;
	f.payload_crc = crc32c(0, b->bytes.p + start + FRAME_HEADER_BYTES, payload);
	frame_header_write(&f, b->bytes.p + start);
	if (b->count == 0)
		b->lazy_since_ms = clock_mono_ms();
	b->is_urgent |= added->urgency != SPOOL_LAZY;
	c = add_batch_commit(b);
	c->at = (uint32_t)start;
	c->span = f.span;
	c->payload_bytes = f.payload_bytes;
	c->body_bytes = body_bytes;
	c->sums_at = (uint32_t)sums_at;
	c->is_report = added->urgency == SPOOL_REPORT;
	c->fn = added->fn;
	c->arg = added->arg;
	for (size_t i = 0; i < added->count; i++)
		if (added->entries[i].kind == SPOOL_MESSAGE)
			set_commit_body(c, &added->entries[i]);
	return c;
}

void
batch_update_checksum(struct batch *b, struct batch_commit *c)
{
	char *frame = b->bytes.p + c->at;
	struct str payload = batch_payload(b, c);
	struct frame_header f;

	if (!frame_header_read(str_make(frame, FRAME_HEADER_BYTES), 0, &f))
		die("spool: a frame in memory is damaged");
	f.payload_crc = crc32c(0, payload.p, payload.n);
	frame_header_write(&f, frame);
}

void
batch_refuse(struct batch_commit *c, int error, bool is_own_fault)
{
	c->error = error ? error : EIO;
	c->is_own_fault = is_own_fault;
}

void
batch_append(struct batch *b, const struct batch *single)
{
	size_t at = b->bytes.n;
	struct batch_commit *c;

	if (b->count == 0)
		b->lazy_since_ms = clock_mono_ms();
	b->is_urgent |= single->is_urgent;
	if (!buf_adds(&b->bytes, buf_str(&single->bytes)))
		die("spool: too many bytes wait to be stored");
	c = add_batch_commit(b);
	*c = single->commits[0];
	c->at = (uint32_t)at;
}

struct batch *
batch_take_first(struct batch *b, size_t count)
{
	struct batch *head = batch_new();
	uint32_t from = b->commits[0].at;

	if (!buf_adds(&head->bytes,
	        str_make(b->bytes.p + from, b->commits[count].at - from)))
		die("spool: too many bytes wait to be stored");
	for (size_t i = 0; i < count; i++) {
		struct batch_commit *c = add_batch_commit(head);

		*c = b->commits[i];
		c->at -= from;
	}
	head->opened = b->opened;
	head->syncs = b->syncs;
	head->sync_ms = b->sync_ms;
	b->opened = NULL;
	b->syncs = 0;
	b->sync_ms = 0;
	b->count -= count;
	memmove(b->commits, b->commits + count, b->count * sizeof *b->commits);
	return head;
}

struct str
batch_payload(const struct batch *b, const struct batch_commit *c)
{
	return str_make(b->bytes.p + c->at + FRAME_HEADER_BYTES, c->payload_bytes);
}
