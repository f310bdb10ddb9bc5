/*
 * blocklist: a table by time of making, written whole at each change: to a new file, which then
 * takes the name of the old one.
 */
#include "auth/blocklist.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

struct blocks {
	struct fsio *disk; /* NULL: no directory */
	size_t count;
	char error[BLOCKS_ERROR_BYTES];
	struct block block[BLOCKS_MAX];
};

static size_t
blocks_place(const struct blocks *b, const struct block_target *target)
{
	size_t i = 0;

	while (i < b->count && !block_target_same(&b->block[i].target, target))
		i++;
	return i;
}

/* ---- the file ---- */

static void
blocks_fail(struct blocks *b, const char *what)
{
	snprintf(b->error, sizeof b->error, "blocks: %s: %s", what, strerror(errno));
}

/* What is told of those that were refused is in memory alone. */
static void
blocks_keep_counts(const struct blocks *b, struct block *now, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t former = blocks_place(b, &now[i].target);

		if (former < b->count)
			now[i].refused = b->block[former].refused;
	}
}

static void
blocks_take_text(struct blocks *b, struct str text)
{
	struct block *now = mem_new(sizeof b->block);
	size_t count, bad = blocks_read_text(text, now, &count);

	blocks_keep_counts(b, now, count);
	memcpy(b->block, now, count * sizeof *now);
	b->count = count;
	mem_free(now);
	b->error[0] = '\0';
	if (bad)
		snprintf(b->error, sizeof b->error,
		    "blocks:%zu: this line is not valid: correct or remove it; until then the "
		    "others hold, and none can be changed", bad);
}

static void
blocks_read(struct blocks *b)
{
	int fd = b->disk->ops->open(b->disk, "blocks", O_RDONLY);
	struct iovec room = {.iov_len = BLOCKS_FILE_MAX};
	size_t got;

	if (fd < 0 && errno == ENOENT)
		blocks_take_text(b, STR("sallyport blocks 1\n"));
	else if (fd < 0)
		blocks_fail(b, "open");
	if (fd < 0)
		return;
	room.iov_base = mem_new(room.iov_len);
	if (fsio_read_all(b->disk, fd, room, 0, &got) == 0)
		blocks_take_text(b, str_make(room.iov_base, got));
	else
		blocks_fail(b, "read");
	mem_free(room.iov_base);
	(void)b->disk->ops->close(b->disk, fd);
}

static bool
blocks_write_new(const struct blocks *b, struct str text)
{
	struct iovec all = {.iov_base = (void *)text.p, .iov_len = text.n};
	const struct fsio_ops *ops = b->disk->ops;
	int fd = ops->open(b->disk, "blocks.new", O_WRONLY | O_CREAT | O_TRUNC), failed;
	bool ok;

	if (fd < 0)
		return false;
	ok = fsio_write_all(b->disk, fd, &all, 1, 0) == 0 && ops->sync_data(b->disk, fd) == 0;
	failed = errno;
	if (ops->close(b->disk, fd) != 0 && ok)
		return false;
	errno = failed;
	return ok;
}

/* From the rename on the new table is what a start will read. */
static enum blocks_result
blocks_write(const struct blocks *b, struct str text)
{
	const struct fsio_ops *ops = b->disk->ops;

	if (!blocks_write_new(b, text) || ops->rename(b->disk, "blocks.new", "blocks") != 0)
		return BLOCKS_BROKEN;
	return ops->sync_directory(b->disk) == 0 ? BLOCKS_OK : BLOCKS_UNSURE;
}

/* ---- the table ---- */

static void
blocks_take_out(struct blocks *b, size_t i)
{
	b->count--;
	memmove(&b->block[i], &b->block[i + 1], (b->count - i) * sizeof *b->block);
}

static void
blocks_put_back(struct blocks *b, size_t i, const struct block *former)
{
	memmove(&b->block[i + 1], &b->block[i], (b->count - i) * sizeof *b->block);
	b->block[i] = *former;
	b->count++;
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
	if (buf_ok(&text))
		result = blocks_write(b, buf_str(&text));
	else
		errno = EFBIG;
	buf_clear(&text);
	return result;
}

struct blocks *
blocks_new(struct fsio *disk)
{
	struct blocks *b = MEM_NEW(struct blocks);

	b->disk = disk;
	if (disk)
		blocks_read(b);
	else
		snprintf(b->error, sizeof b->error, "blocks: the state directory is not open");
	return b;
}

void
blocks_read_again(struct blocks *b)
{
	if (b->disk && b->error[0])
		blocks_read(b);
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

bool
blocks_has_disk(const struct blocks *b)
{
	return b->disk != NULL;
}

const char *
blocks_error(const struct blocks *b)
{
	return b->error;
}

enum blocks_result
blocks_add(struct blocks *b, const struct block *block)
{
	enum blocks_result result;
	struct block former;
	bool is_in_place;
	size_t i;

	if (b->error[0])
		return BLOCKS_BROKEN;
	blocks_forget_past(b);
	i = blocks_place(b, &block->target);
	if (i == BLOCKS_MAX)
		return BLOCKS_FULL;
	is_in_place = i < b->count;
	former = b->block[i];
	if (is_in_place)
		blocks_take_out(b, i);
	b->block[b->count] = *block;
	if (is_in_place)
		b->block[b->count].refused = former.refused;
	b->count++;
	result = blocks_store(b);
	if (result != BLOCKS_BROKEN)
		return result;
	b->count--;
	if (is_in_place)
		blocks_put_back(b, i, &former);
	return result;
}

enum blocks_result
blocks_remove(struct blocks *b, const struct block_target *target)
{
	enum blocks_result result;
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
	result = blocks_store(b);
	if (result == BLOCKS_BROKEN)
		blocks_put_back(b, i, &former);
	return result;
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
