/*
 * blocklist: a table ordered by the time when each block was added. Each change writes the whole
 * table to a new file and renames it over the old one.
 */
#include "auth/blocklist.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error_text.h"
#include "base/mem.h"

struct blocklist {
	struct fsio *disk; /* NULL: there is no directory */
	size_t count;
	char error[BLOCKLIST_ERROR_BYTES];
	struct blocklist_entry block[BLOCKLIST_MAX];
};

static size_t
blocklist_index_of(const struct blocklist *b, const struct blocklist_target *target)
{
	size_t i = 0;

	while (i < b->count && !blocklist_target_same(&b->block[i].target, target))
		i++;
	return i;
}

/* ---- the file ---- */

static void
blocklist_set_error(struct blocklist *b, const char *operation)
{
	snprintf(b->error, sizeof b->error, "blocks: %s: %s", operation, error_text(errno));
}

/* The counts of refused logins are only in memory. */
static void
blocklist_copy_counts(const struct blocklist *b, struct blocklist_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t old = blocklist_index_of(b, &entries[i].target);

		if (old < b->count)
			entries[i].refused = b->block[old].refused;
	}
}

static void
blocklist_load_text(struct blocklist *b, struct str text)
{
	struct blocklist_entry *entries = mem_new(sizeof b->block);
	size_t count, bad = blocklist_read_text(text, entries, &count);

	blocklist_copy_counts(b, entries, count);
	memcpy(b->block, entries, count * sizeof *entries);
	b->count = count;
	mem_free(entries);
	b->error[0] = '\0';
	if (bad)
		snprintf(b->error, sizeof b->error,
		    "blocks:%zu: this line is not valid: correct or remove it; until then the "
		    "others hold, and none can be changed", bad);
}

static void
blocklist_read(struct blocklist *b)
{
	int fd = b->disk->ops->open(b->disk, "blocks", O_RDONLY);
	struct iovec buffer = {.iov_len = BLOCKLIST_FILE_MAX};
	size_t got;

	if (fd < 0 && errno == ENOENT)
		blocklist_load_text(b, STR("sallyport blocks 1\n"));
	else if (fd < 0)
		blocklist_set_error(b, "open");
	if (fd < 0)
		return;
	buffer.iov_base = mem_new(buffer.iov_len);
	if (fsio_read_all(b->disk, fd, buffer, 0, &got) == 0)
		blocklist_load_text(b, str_make(buffer.iov_base, got));
	else
		blocklist_set_error(b, "read");
	mem_free(buffer.iov_base);
	(void)b->disk->ops->close(b->disk, fd);
}

static bool
blocklist_write_new(const struct blocklist *b, struct str text)
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

/* A start reads the new table as soon as the file is renamed. */
static enum blocklist_result
blocklist_write(const struct blocklist *b, struct str text)
{
	const struct fsio_ops *ops = b->disk->ops;

	if (!blocklist_write_new(b, text) || ops->rename(b->disk, "blocks.new", "blocks") != 0)
		return BLOCKLIST_BROKEN;
	return ops->sync_directory(b->disk) == 0 ? BLOCKLIST_OK : BLOCKLIST_UNSURE;
}

/* ---- the table ---- */

static void
blocklist_remove_at(struct blocklist *b, size_t i)
{
	b->count--;
	memmove(&b->block[i], &b->block[i + 1], (b->count - i) * sizeof *b->block);
}

static void
blocklist_insert_at(struct blocklist *b, size_t i, const struct blocklist_entry *old)
{
	memmove(&b->block[i + 1], &b->block[i], (b->count - i) * sizeof *b->block);
	b->block[i] = *old;
	b->count++;
}

static void
blocklist_drop_expired(struct blocklist *b)
{
	int64_t now_ms = clock_ms();

	for (size_t i = b->count; i-- > 0;)
		if (b->block[i].until_ms <= now_ms)
			blocklist_remove_at(b, i);
}

static enum blocklist_result
blocklist_save(struct blocklist *b)
{
	enum blocklist_result result = BLOCKLIST_BROKEN;
	struct buf text;

	buf_init(&text, BLOCKLIST_FILE_MAX);
	blocklist_write_text(b->block, b->count, &text);
	if (buf_ok(&text))
		result = blocklist_write(b, buf_str(&text));
	else
		errno = EFBIG;
	buf_clear(&text);
	return result;
}

struct blocklist *
blocklist_new(struct fsio *disk)
{
	struct blocklist *b = MEM_NEW(struct blocklist);

	b->disk = disk;
	if (disk)
		blocklist_read(b);
	else
		snprintf(b->error, sizeof b->error, "blocks: the state directory is not open");
	return b;
}

void
blocklist_read_again(struct blocklist *b)
{
	if (b->disk && b->error[0])
		blocklist_read(b);
}

void
blocklist_free(struct blocklist **b)
{
	if (!*b)
		return;
	if ((*b)->disk)
		fsio_free(&(*b)->disk);
	mem_free(*b);
	*b = NULL;
}

bool
blocklist_has_disk(const struct blocklist *b)
{
	return b->disk != NULL;
}

const char *
blocklist_error(const struct blocklist *b)
{
	return b->error;
}

enum blocklist_result
blocklist_add(struct blocklist *b, const struct blocklist_entry *block)
{
	enum blocklist_result result;
	struct blocklist_entry old;
	bool is_replaced;
	size_t i;

	if (b->error[0])
		return BLOCKLIST_BROKEN;
	blocklist_drop_expired(b);
	i = blocklist_index_of(b, &block->target);
	if (i == BLOCKLIST_MAX)
		return BLOCKLIST_FULL;
	is_replaced = i < b->count;
	old = b->block[i];
	if (is_replaced)
		blocklist_remove_at(b, i);
	b->block[b->count] = *block;
	if (is_replaced)
		b->block[b->count].refused = old.refused;
	b->count++;
	result = blocklist_save(b);
	if (result != BLOCKLIST_BROKEN)
		return result;
	b->count--;
	if (is_replaced)
		blocklist_insert_at(b, i, &old);
	return result;
}

enum blocklist_result
blocklist_remove(struct blocklist *b, const struct blocklist_target *target)
{
	enum blocklist_result result;
	struct blocklist_entry old;
	size_t i;

	if (b->error[0])
		return BLOCKLIST_BROKEN;
	blocklist_drop_expired(b);
	i = blocklist_index_of(b, target);
	if (i == b->count)
		return BLOCKLIST_NONE;
	old = b->block[i];
	blocklist_remove_at(b, i);
	result = blocklist_save(b);
	if (result == BLOCKLIST_BROKEN)
		blocklist_insert_at(b, i, &old);
	return result;
}

struct blocklist_entry *
blocklist_find(struct blocklist *b, struct str user, const struct network *client)
{
	int64_t now_ms = b->count ? clock_ms() : 0;

	for (size_t i = 0; i < b->count; i++) {
		const struct blocklist_target *t = &b->block[i].target;

		if (b->block[i].until_ms <= now_ms)
			continue;
		if (t->is_network ? client && network_has(&t->network, client)
				  : str_eq(str_of(t->user), user))
			return &b->block[i];
	}
	return NULL;
}

void
blocklist_each(struct blocklist *b, blocklist_fn *fn, void *arg)
{
	blocklist_drop_expired(b);
	for (size_t i = 0; i < b->count; i++)
		fn(&b->block[i], arg);
}
