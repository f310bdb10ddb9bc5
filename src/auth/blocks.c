/*
 * blocks: a table in order of making, written whole at each change: to a new file, which then takes
 * the name of the old one.
 */
#include "auth/blocks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fsio.h"
#include "base/mem.h"

struct blocks {
	struct fsio *disk; /* NULL: no directory */
	size_t count;
	char error[BLOCKS_ERROR_BYTES];
	struct block block[BLOCKS_MAX];
};

/* ---- the file ---- */

static int
blocks_fail(struct blocks *b, const char *what)
{
	snprintf(b->error, sizeof b->error, "blocks: %s: %s", what, strerror(errno));
	return -1;
}

static int
blocks_parse(struct blocks *b, struct str text)
{
	if (blocks_read_text(text, b->block, &b->count))
		return 0;
	b->count = 0;
	snprintf(b->error, sizeof b->error,
	    "blocks: a line of the file is not valid: no block is in force; correct or remove the "
	    "file and restart sallyportd");
	return -1;
}

static int
blocks_read(struct blocks *b)
{
	int fd = b->disk->ops->open(b->disk, "blocks", O_RDONLY), result = -1;
	struct iovec room = {.iov_len = BLOCKS_FILE_MAX};
	size_t got;

	if (fd < 0)
		return errno == ENOENT ? 0 : blocks_fail(b, "open");
	room.iov_base = mem_new(room.iov_len);
	if (fsio_read_all(b->disk, fd, room, 0, &got) == 0)
		result = blocks_parse(b, str_make(room.iov_base, got));
	else
		(void)blocks_fail(b, "read");
	mem_free(room.iov_base);
	(void)b->disk->ops->close(b->disk, fd);
	return result;
}

static int
blocks_write(struct blocks *b, struct str text)
{
	struct iovec all = {.iov_base = (void *)text.p, .iov_len = text.n};
	const struct fsio_ops *ops = b->disk->ops;
	int fd = ops->open(b->disk, "blocks.new", O_WRONLY | O_CREAT | O_TRUNC);
	bool ok;

	if (fd < 0)
		return -1;
	ok = fsio_write_all(b->disk, fd, &all, 1, 0) == 0 && ops->sync_data(b->disk, fd) == 0;
	ok = ops->close(b->disk, fd) == 0 && ok;
	if (ok && ops->rename(b->disk, "blocks.new", "blocks") == 0)
		return ops->sync_directory(b->disk);
	return -1;
}

/* ---- the table ---- */

static void
blocks_take_out(struct blocks *b, size_t i)
{
	b->count--;
	memmove(&b->block[i], &b->block[i + 1], (b->count - i) * sizeof *b->block);
}

static void
blocks_forget_past(struct blocks *b)
{
	int64_t now_ms = clock_ms();

	for (size_t i = b->count; i-- > 0;)
		if (b->block[i].until_ms <= now_ms)
			blocks_take_out(b, i);
}

static enum blocks_result
blocks_store(struct blocks *b)
{
	enum blocks_result result = BLOCKS_BROKEN;
	struct buf text;

	buf_init(&text, BLOCKS_FILE_MAX);
	blocks_write_text(b->block, b->count, &text);
	if (buf_ok(&text) && blocks_write(b, buf_str(&text)) == 0)
		result = BLOCKS_OK;
	buf_clear(&text);
	return result;
}

struct blocks *
blocks_new(int directory_fd)
{
	struct blocks *b = MEM_NEW(struct blocks);
	int own = directory_fd < 0 ? -1 : fcntl(directory_fd, F_DUPFD_CLOEXEC, 3);

	if (own < 0) {
		snprintf(b->error, sizeof b->error, "blocks: the state directory is not open");
		return b;
	}
	b->disk = fsio_new(own);
	(void)blocks_read(b);
	return b;
}

void
blocks_free(struct blocks **b)
{
	if (!*b)
		return;
	if ((*b)->disk)
		fsio_free(&(*b)->disk);
	mem_free(*b);
	*b = NULL;
}

const char *
blocks_error(const struct blocks *b)
{
	return b->error;
}

static size_t
blocks_place(const struct blocks *b, const struct block_target *target)
{
	size_t i = 0;

	while (i < b->count && !block_target_same(&b->block[i].target, target))
		i++;
	return i;
}

enum blocks_result
blocks_add(struct blocks *b, const struct block *block)
{
	struct block former;
	size_t i;

	if (b->error[0])
		return BLOCKS_BROKEN;
	blocks_forget_past(b);
	i = blocks_place(b, &block->target);
	if (i == BLOCKS_MAX)
		return BLOCKS_FULL;
	former = b->block[i];
	b->block[i] = *block;
	if (i < b->count) {
		b->block[i].refused = former.refused;
		if (blocks_store(b) == BLOCKS_OK)
			return BLOCKS_OK;
		b->block[i] = former;
		return BLOCKS_BROKEN;
	}
	b->count++;
	if (blocks_store(b) == BLOCKS_OK)
		return BLOCKS_OK;
	b->count--;
	return BLOCKS_BROKEN;
}

enum blocks_result
blocks_remove(struct blocks *b, const struct block_target *target)
{
	struct block former;
	size_t i;

	if (b->error[0])
		return BLOCKS_BROKEN;
	blocks_forget_past(b);
	i = blocks_place(b, target);
	if (i == b->count)
		return BLOCKS_NONE;
	former = b->block[i];
	blocks_take_out(b, i);
	if (blocks_store(b) == BLOCKS_OK)
		return BLOCKS_OK;
	b->block[b->count++] = former;
	return BLOCKS_BROKEN;
}

struct block *
blocks_find(struct blocks *b, struct str user, const struct network *client)
{
	int64_t now_ms = b->count ? clock_ms() : 0;

	for (size_t i = 0; i < b->count; i++) {
		const struct block_target *t = &b->block[i].target;

		if (b->block[i].until_ms <= now_ms)
			continue;
		if (t->is_network ? client && network_has(&t->network, client)
				  : str_eq(str_of(t->user), user))
			return &b->block[i];
	}
	return NULL;
}

void
blocks_each(struct blocks *b, block_fn *fn, void *arg)
{
	blocks_forget_past(b);
	for (size_t i = 0; i < b->count; i++)
		fn(&b->block[i], arg);
}
