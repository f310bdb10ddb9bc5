/*
 * body_reader: see the header.
 */
#include "relay/body_reader.h"

void
body_init(struct body *b, struct disk_file *file, void (*ready)(void *arg), void *arg)
{
	*b = (struct body){.file = file, .ready = ready, .arg = arg};
}

void
body_clear(struct body *b)
{
	disk_file_drop(&b->file);
}

static void body_got(int error, struct str bytes, void *arg);

static void
body_begin(struct body *b)
{
	b->read_at = b->at;
	b->read_n = b->n;
	disk_read(b->file, b->at, b->n, body_got, b);
}

static void
body_got(int error, struct str bytes, void *arg)
{
	struct body *b = arg;

	/* another one is wanted by now: the message goes to another host, from its beginning */
	if (b->read_at != b->at || b->read_n != b->n) {
		body_begin(b);
		return;
	}
	b->is_here = true;
	b->error = error;
	b->bytes = bytes;
	b->ready(b->arg);
}

enum outgoing_answer
body_read(void *arg, uint64_t at, size_t n, struct str *block_out)
{
	struct body *b = arg;

	if (b->is_here && b->at == at && b->n == n) {
		*block_out = b->bytes;
		b->is_here = b->error == 0;
		return b->error ? OUTGOING_UNREADABLE : OUTGOING_HERE;
	}
	b->is_here = false;
	b->at = at;
	b->n = n;
	if (!disk_file_is_busy(b->file))
		body_begin(b);
	return OUTGOING_AWAITED;
}
