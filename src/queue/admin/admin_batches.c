/*
 * admin_batches: a batch that the spool refuses because of one of its messages, or because it is
 * too large, is appended in halves, so that only that message fails.
 */
#include "queue/admin/admin_batches.h"

#include <errno.h>

#include "base/mem.h"
#include "queue/admin/admin_rows.h"

/* The changes of so many messages wait to become durable: that bounds what is applied in one turn
 * of the loop, and the memory of a command.  A batch has at most half of them, so that one is
 * applied while the next is written. */
enum { ADMIN_UNSTORED_MAX = 2048, ADMIN_BATCH_ENTRIES_MAX = ADMIN_UNSTORED_MAX / 2 };
_Static_assert((int)ADMIN_BATCH_ENTRIES_MAX >= (int)SPOOL_RECIPIENTS_MAX,
    "a batch has room for each message");

struct admin_change {
	struct msgid id;
	size_t entry_count;
	admin_change_fn *apply;
};

/* What is gathered in a turn of the loop. */
struct admin_batch_draft {
	size_t entry_count, change_count;
	struct spool_entry entries[ADMIN_BATCH_ENTRIES_MAX];
	struct admin_change changes[ADMIN_BATCH_ENTRIES_MAX];
};

/* What is appended. */
struct admin_batch {
	LIST_ENTRY(admin_batch) link;
	struct admin_command *command;
	size_t count;
	struct admin_change changes[];
};

static void
free_admin_batch(struct admin_batch *b)
{
	LIST_REMOVE(b, link);
	mem_free(b);
}

/* ENOENT: the spool has no open recipient of it any more. */
static void
apply_admin_change(struct admin_command *command, const struct admin_change *change, int error)
{
	struct queued_message *e = queued_find(&command->queue->queued, change->id);
	bool is_changed = e && change->apply(command, e, error);

	command->unstored--;
	if (is_changed) {
		admin_rows_changed(command, change->id);
	} else if (error && error != ENOENT) {
		command->error = error;
		command->failed++;
	}
}

static void
admin_batch_stored(int error, void *arg)
{
	struct admin_batch *b = arg;
	struct admin_command *command = b->command;

	for (size_t i = 0; i < b->count; i++)
		apply_admin_change(command, &b->changes[i], error);
	free_admin_batch(b);
	admin_rows_send_ids(command);
	queue_wake_admin(command->queue);
}

static struct admin_batch *
new_admin_batch(struct admin_command *command, const struct admin_change *changes, size_t count)
{
	struct admin_batch *b = mem_new(sizeof *b + count * sizeof *changes);

	b->command = command;
	b->count = count;
	memcpy(b->changes, changes, count * sizeof *changes);
	LIST_INSERT_HEAD(&command->batches, b, link);
	return b;
}

/* It may be one message of several, or their number. */
static bool
is_refused_for_a_part(int error)
{
	return error == ENOENT || error == EMSGSIZE || error == EINVAL;
}

static size_t
count_change_entries(const struct admin_change *changes, size_t count)
{
	size_t entries = 0;

	for (size_t i = 0; i < count; i++)
		entries += changes[i].entry_count;
	return entries;
}

static void
append_admin_changes(struct admin_command *command, const struct spool_entry *entries,
    const struct admin_change *changes, size_t count)
{
	struct admin_batch *b = new_admin_batch(command, changes, count);
	struct spool_batch batch = {.entries = entries,
	    .count = count_change_entries(changes, count),
	    .urgency = SPOOL_NOW,
	    .fn = admin_batch_stored,
	    .arg = b};
	size_t half = count / 2;

	if (spool_append(command->queue->spool, &batch) == 0)
		return;
	if (count == 1 || !is_refused_for_a_part(errno)) {
		admin_batch_stored(errno, b);
		return;
	}
	free_admin_batch(b);
	append_admin_changes(command, entries, changes, half);
	append_admin_changes(command, entries + count_change_entries(changes, half),
	    changes + half, count - half);
}

bool
admin_batches_have_room(const struct admin_command *command)
{
	return command->unstored < ADMIN_UNSTORED_MAX;
}

struct spool_entry *
admin_batches_room(struct admin_command *command, size_t count)
{
	if (command->draft &&
	    command->draft->entry_count + count > ADMIN_BATCH_ENTRIES_MAX)
		admin_batches_store(command);
	if (!command->draft)
		command->draft = MEM_NEW(struct admin_batch_draft);
	return command->draft->entries + command->draft->entry_count;
}

void
admin_batches_add(
    struct admin_command *command, struct msgid id, size_t count, admin_change_fn *apply)
{
	struct admin_batch_draft *g = command->draft;

	g->changes[g->change_count++] = (struct admin_change){id, count, apply};
	g->entry_count += count;
	command->unstored++;
}

void
admin_batches_store(struct admin_command *command)
{
	struct admin_batch_draft *g = command->draft;

	if (!g)
		return;
	command->draft = NULL;
	if (g->change_count)
		append_admin_changes(command, g->entries, g->changes, g->change_count);
	mem_free(g);
}

void
admin_batches_forget(struct admin_command *command)
{
	struct admin_batch *b;

	while ((b = LIST_FIRST(&command->batches)))
		free_admin_batch(b);
	mem_free(command->draft);
	command->draft = NULL;
}
