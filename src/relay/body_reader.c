/*
 * body_reader: one read is in progress at a time.  If another block is requested meanwhile, it is
 * read when that read has ended.
 */
#include "relay/body_reader.h"

void
body_reader_init(
    struct body_reader *reader, struct async_io_file *file, void (*ready)(void *arg), void *arg)
{
	*reader = (struct body_reader){.file = file, .ready = ready, .arg = arg};
}

void
body_reader_clear(struct body_reader *reader)
{
	async_io_file_drop(&reader->file);
}

static void body_reader_got(int error, struct str bytes, void *arg);

static void
body_reader_begin(struct body_reader *reader)
{
	reader->read_at = reader->wanted_at;
	reader->read_n = reader->wanted_n;
	async_io_read(reader->file, reader->wanted_at, reader->wanted_n, body_reader_got, reader);
}

static void
body_reader_got(int error, struct str bytes, void *arg)
{
	struct body_reader *reader = arg;

	/* another block is wanted by now: the message is sent to another host, from its
	 * beginning */
	if (reader->read_at != reader->wanted_at || reader->read_n != reader->wanted_n) {
		body_reader_begin(reader);
		return;
	}
	reader->is_answered = true;
	reader->error = error;
	reader->bytes = bytes;
	reader->ready(reader->arg);
}

enum message_source_answer
body_reader_read(void *arg, uint64_t at, size_t n, struct str *block_out)
{
	struct body_reader *reader = arg;

	if (reader->is_answered && reader->wanted_at == at && reader->wanted_n == n) {
		*block_out = reader->bytes;
		reader->is_answered = reader->error == 0;
		return reader->error ? MESSAGE_SOURCE_UNREADABLE : MESSAGE_SOURCE_AVAILABLE;
	}
	reader->is_answered = false;
	reader->wanted_at = at;
	reader->wanted_n = n;
	if (!async_io_file_is_busy(reader->file))
		body_reader_begin(reader);
	return MESSAGE_SOURCE_AWAITED;
}
