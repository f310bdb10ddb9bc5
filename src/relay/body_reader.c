/*
 * body_reader: see the header.
 */
#include "relay/body_reader.h"

void
body_reader_init(
    struct body_reader *b, struct async_io_file *file, void (*ready)(void *arg), void *arg)
{
	*b = (struct body_reader){.file = file, .ready = ready, .arg = arg};
}

void
body_reader_clear(struct body_reader *b)
{
	async_io_file_drop(&b->file);
}

static void body_reader_got(int error, struct str bytes, void *arg);

static void
body_reader_begin(struct body_reader *b)
{
	b->read_at = b->at;
	b->read_n = b->n;
	async_io_read(b->file, b->at, b->n, body_reader_got, b);
}

static void
body_reader_got(int error, struct str bytes, void *arg)
{
	struct body_reader *b = arg;

	/* another one is wanted by now: the message goes to another host, from its beginning */
	if (b->read_at != b->at || b->read_n != b->n) {
		body_reader_begin(b);
		return;
	}
	b->is_here = true;
	b->error = error;
	b->bytes = bytes;
	b->ready(b->arg);
}

enum message_source_answer
body_reader_read(void *arg, uint64_t at, size_t n, struct str *block_out)
{
	struct body_reader *b = arg;

	if (b->is_here && b->at == at && b->n == n) {
		*block_out = b->bytes;
		b->is_here = b->error == 0;
		return b->error ? MESSAGE_SOURCE_UNREADABLE : MESSAGE_SOURCE_HERE;
	}
	b->is_here = false;
	b->at = at;
	b->n = n;
	if (!async_io_file_is_busy(b->file))
		body_reader_begin(b);
	return MESSAGE_SOURCE_AWAITED;
}
