/*
 * recovery_bodies: a body file is checked by its size, owner and mode, and opened; a body that an
 * earlier start renamed to *.lost is also compared with its checksums before it is restored.
 */
#include "spool/recovery_bodies.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/block_sums.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "spool/replay_refuse.h"
#include "spool/spool_fault.h"
#include "spool/spool_names.h"

enum { RECOVERY_LOST_BYTES = 300 };

static void
recovery_bodies_count_one(struct str key, void *value, void *arg)
{
	struct str text = str_upto(key, key.n - strlen(".body"));
	unsigned *count = arg;
	uint32_t recipient;
	struct msgid id;

	(void)value;
	*count += msgid_parse(text, &id, &recipient) && id.number > 0 && recipient == 0;
}

unsigned
recovery_bodies_count(const struct recovery_bodies *b)
{
	unsigned count = 0;

	map_each(b->files, recovery_bodies_count_one, &count);
	return count;
}

/* The body is known to be unusable: the message stays, on hold, where the operator sees it. */
static void
recovery_bodies_hold(struct spool *s, struct stored_message *i, const char *name, const char *why)
{
	char text[ID_NUMBER_TEXT_BYTES], reason[SPOOL_DETAIL_MAX];
	int n = snprintf(reason, sizeof reason, "damaged: the body file %s %s", name, why);

	log_error("spool: message %s: the body file %s %s; the message is held",
	    msgid_text(i->id, 0, text), name, why);
	/* the first reason stays, above all the operator's */
	if (!i->is_held)
		stored_message_set_hold(i, true, str_make(reason, (size_t)n));
	s->stats.quarantined++;
}

/* NULL: complete and readable; otherwise what is wrong with it.  *error_out is the errno of the
 * call that failed; 0: all calls succeeded, and the damage is proven. */
static const char *
recovery_bodies_inspect(struct spool *s, const struct stored_message *i, const char *name,
    bool *is_missing_out, int *error_out)
{
	struct fsio *io = s->io;
	struct fsio_file file;
	int fd;

	*error_out = 0;
	*is_missing_out = false;
	if (io->ops->inspect(io, name, &file) != 0) {
		*is_missing_out = errno == ENOENT;
		*error_out = *is_missing_out ? 0 : errno;
		return "cannot be looked at";
	}
	if (!file.is_plain || !file.is_private || !file.is_ours)
		return "is not a file of ours";
	if ((uint64_t)file.bytes != stored_message_body_bytes(i))
		return spool_fault_of_body(SPOOL_FAULT_BODY_TRUNCATED);
	fd = io->ops->open(io, name, O_RDONLY);
	if (fd < 0) {
		*error_out = errno;
		return "cannot be opened";
	}
	io->ops->close(io, fd);
	return NULL;
}

/* ---- a body that an earlier start renamed to *.lost ---- */

/* What could not be read, and where. */
struct recovery_bodies_fault {
	char name[RECOVERY_LOST_BYTES];
	uint64_t offset;
	bool is_record;                  /* the record, not the body */
};

static int
recovery_bodies_compare(struct spool *s, const struct stored_message *i, int fd, struct str sums,
    struct recovery_bodies_fault *f)
{
	struct iovec v = {mem_new(BLOCK_SUMS_BLOCK_BYTES), BLOCK_SUMS_BLOCK_BYTES};
	uint64_t bytes = stored_message_body_bytes(i);
	int error = 0;
	size_t got;

	for (f->offset = 0; !error && f->offset < bytes; f->offset += got)
		if (fsio_read_all(s->io, fd, v, (off_t)f->offset, &got) != 0)
			error = errno;
		else if (!block_sums_match(sums, f->offset, str_make(v.iov_base, got)))
			error = EBADMSG;
	mem_free(v.iov_base);
	return error;
}

/* 0.1.0 stored no checksums. */
static int
recovery_bodies_read(
    struct spool *s, struct stored_message *i, int fd, struct recovery_bodies_fault *f)
{
	struct frame_entry record;
	int error = stored_message_read(i, s->io, &s->buffer, &record);

	/* a start has no later read that could prove the damage */
	if (error == SPOOL_FAULT_MISREAD)
		error = stored_message_read(i, s->io, &s->buffer, &record);
	if (error) {
		segment_name(i->segment->slot, f->name);
		f->offset = i->offset;
		f->is_record = true;
		return error;
	}
	if (record.entry.message.sums.n == 0)
		return 0;
	return recovery_bodies_compare(s, i, fd, record.entry.message.sums, f);
}

/* For a message without its body file.  0: the file named in f is that body; or an errno.  ENOENT:
 * there is none; EBADMSG: its content is another one, or the record is damaged; any other errno: f
 * names the file that it concerns. */
static int
recovery_bodies_check_lost(
    struct spool *s, struct stored_message *i, struct recovery_bodies_fault *f)
{
	struct fsio *io = s->io;
	struct fsio_file file;
	int fd, error;

	if (io->ops->inspect(io, f->name, &file) != 0)
		return errno;
	if (!file.is_plain || !file.is_private || !file.is_ours ||
	    (uint64_t)file.bytes != stored_message_body_bytes(i))
		return EBADMSG;
	fd = io->ops->open(io, f->name, O_RDONLY);
	if (fd < 0)
		return errno;
	error = recovery_bodies_read(s, i, fd, f);
	io->ops->close(io, fd);
	return error;
}

static void
recovery_bodies_restore_one(struct spool *s, const char *name)
{
	char lost[RECOVERY_LOST_BYTES];

	snprintf(lost, sizeof lost, "%s.lost", name);
	metrics_progress();
	if (s->io->ops->rename(s->io, lost, name) == 0)
		log_warn("spool: %s was missing, and is taken back: %s holds what was stored", name,
		    lost);
	else
		log_error("spool: %s is missing, and %s, which holds what was stored, cannot be "
			  "renamed: %m; the next start tries again", name, lost);
}

void
recovery_bodies_restore(struct spool *s, const struct recovery_bodies *b)
{
	const struct buf *to_restore = &b->to_restore;

	for (size_t at = 0; at < to_restore->n; at += strlen(to_restore->p + at) + 1)
		recovery_bodies_restore_one(s, to_restore->p + at);
	if (to_restore->n > 0 && s->io->ops->sync_directory(s->io) != 0)
		log_warn("spool: the names of body files that were taken back are not durable: %m");
}

/* ---- bodies of messages ---- */

static const char *
recovery_bodies_find_lost(struct spool *s, struct recovery_bodies *b, struct stored_message *i,
    struct recovery_bodies_fault *f, int *error_out)
{
	char name[SPOOL_NAMES_BYTES];
	bool is_other;
	int error;

	spool_names_body(i->id, name);
	snprintf(f->name, sizeof f->name, "%s.lost", name);
	error = recovery_bodies_check_lost(s, i, f);
	is_other = error == EBADMSG && !f->is_record;
	*error_out = error == ENOENT || is_other ? 0 : error;
	if (error == ENOENT)
		return spool_fault_of_body(SPOOL_FAULT_BODY_MISSING);
	if (error)
		return is_other
		    ? "is missing, and the file of that name with .lost is not what was stored"
		    : "is missing, and the file of that name with .lost cannot be compared with "
		      "what was stored";
	buf_add(&b->to_restore, name, strlen(name) + 1);
	return NULL;
}

static int
recovery_bodies_check_one(struct spool *s, struct recovery_bodies *b, struct stored_message *i)
{
	struct recovery_bodies_fault f = {.offset = 0};
	char name[SPOOL_NAMES_BYTES];
	bool is_missing;
	const char *wrong;
	int error;
	char *listed;

	metrics_work_id("recover: body file", i->id);
	metrics_progress();
	listed = map_remove(b->files, str_of(spool_names_body(i->id, name)));
	mem_free(listed);
	snprintf(f.name, sizeof f.name, "%s", name);
	wrong = recovery_bodies_inspect(s, i, name, &is_missing, &error);
	if (is_missing)
		wrong = recovery_bodies_find_lost(s, b, i, &f, &error);
	if (!wrong)
		return 0;
	errno = error;
	if (error && !(s->options.accept_damage && replay_may_accept(error)))
		return is_missing ? replay_refuse(f.name, f.offset)
		                  : replay_refuse_for(name, wrong);
	recovery_bodies_hold(s, i, name, wrong);
	return 0;
}

int
recovery_bodies_check(struct spool *s, struct recovery_bodies *b)
{
	for (struct segment *g = s->index.oldest; g; g = g->next)
		for (struct stored_message *i = g->messages; i; i = stored_message_next(i))
			if (i->in_file && recovery_bodies_check_one(s, b, i) != 0)
				return -1;
	return 0;
}

/* ---- bodies without a message ---- */

static void
recovery_bodies_rename_lost(struct spool *s, const char *name)
{
	struct fsio_file file = {0};
	char lost[RECOVERY_LOST_BYTES];

	snprintf(lost, sizeof lost, "%s.lost", name);
	(void)!s->io->ops->inspect(s->io, name, &file);
	if (s->io->ops->rename(s->io, name, lost) != 0) {
		log_error("spool: %s (%llu bytes) belongs to no message, and stays as it is: it "
			  "cannot be renamed: %m", name, (unsigned long long)file.bytes);
		return;
	}
	log_error("spool: %s (message %.*s, %llu bytes) belongs to no message, kept as %s", name,
	    (int)(strlen(name) - strlen(".body")), name, (unsigned long long)file.bytes, lost);
}

static void
recovery_bodies_keep_one(struct str key, void *value, void *arg)
{
	(void)key;
	metrics_progress();
	recovery_bodies_rename_lost(arg, value);
}

static void
recovery_bodies_remove_one(struct str key, void *value, void *arg)
{
	struct spool *s = arg;

	(void)key;
	metrics_progress();
	if (s->io->ops->unlink(s->io, value) != 0)
		log_warn("spool: cannot remove %s: %m", (const char *)value);
}

/* A body without a record was never acknowledged, unless records were lost, now or before, or may
 * have been. */
void
recovery_bodies_tidy(struct spool *s, struct recovery_bodies *b, bool is_whole)
{
	bool is_sure =
	    is_whole && b->to_restore.n == 0 && s->stats.quarantined + s->stats.known_damages == 0;

	map_each(b->files, is_sure ? recovery_bodies_remove_one : recovery_bodies_keep_one, s);
	/* a log that begins anew shows nothing of them to later starts */
	if (!is_sure && map_count(b->files) > 0 && s->io->ops->sync_directory(s->io) != 0)
		log_warn("spool: the names of *.body.lost files are not durable: %m");
}
