/*
 * recover_bodies: see the header.
 */
#include "queue/recover_bodies.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "queue/replay.h"

/* Known to be unusable: the message stays, held, where the operator sees it. */
static void
recover_bodies_hold(struct spool *s, struct item *i, const char *name, const char *why)
{
	char text[ID_NUMBER_TEXT_BYTES], reason[SPOOL_DETAIL_MAX];
	int n = snprintf(reason, sizeof reason, "damaged: the body file %s %s", name, why);

	log_error("spool: message %s: the body file %s %s; the message is held",
	    msgid_text(i->id, 0, text), name, why);
	item_set_hold(i, true, str_make(reason, (size_t)n));
	s->stats.quarantined++;
}

/* NULL: whole and readable; else what is wrong with it.  *error_out: what the system refused; 0: it
 * told us all, and that proves the damage. */
static const char *
recover_bodies_look(struct spool *s, const struct item *i, const char *name, int *error_out)
{
	struct fsio *io = s->io;
	struct fsio_file file;
	int fd;

	*error_out = 0;
	if (io->ops->inspect(io, name, &file) != 0) {
		*error_out = errno == ENOENT ? 0 : errno;
		return *error_out ? "cannot be looked at" : "is missing";
	}
	if (!file.is_plain || !file.is_private || !file.is_ours)
		return "is not a file of ours";
	if ((uint64_t)file.bytes != i->body_bytes)
		return "is not whole";
	fd = io->ops->open(io, name, O_RDONLY);
	if (fd < 0) {
		*error_out = errno;
		return "cannot be opened";
	}
	io->ops->close(io, fd);
	return NULL;
}

static int
recover_bodies_check_one(struct spool *s, struct map *files, struct item *i)
{
	char name[WRITER_FILE_NAME_BYTES];
	const char *wrong;
	int error;
	char *seen;

	metrics_work_id("recover: body file", i->id);
	metrics_progress();
	seen = map_remove(files, str_of(writer_file_name(i->id, name)));
	mem_free(seen);
	wrong = recover_bodies_look(s, i, name, &error);
	if (!wrong)
		return 0;
	errno = error;
	if (error && !(s->options.accept_damage && replay_may_accept(error)))
		return replay_refuse(name, 0);
	recover_bodies_hold(s, i, name, wrong);
	return 0;
}

int
recover_bodies_check(struct spool *s, struct map *files)
{
	for (struct segment *g = s->index.oldest; g; g = g->next)
		for (struct item *i = g->items; i; i = i->next)
			if (i->in_file && recover_bodies_check_one(s, files, i) != 0)
				return -1;
	return 0;
}

static void
recover_bodies_keep(struct spool *s, const char *name)
{
	struct fsio_file file = {0};
	char lost[300];

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
recover_bodies_keep_one(struct str key, void *value, void *arg)
{
	(void)key;
	metrics_progress();
	recover_bodies_keep(arg, value);
}

static void
recover_bodies_remove_one(struct str key, void *value, void *arg)
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
recover_bodies_tidy(struct spool *s, struct map *files, bool is_whole)
{
	bool is_sure = is_whole && s->stats.quarantined + s->stats.known_damages == 0;

	map_each(files, is_sure ? recover_bodies_remove_one : recover_bodies_keep_one, s);
	/* a log that begins anew tells later starts nothing of them */
	if (!is_sure && map_count(files) > 0 && s->io->ops->sync_directory(s->io) != 0)
		log_warn("spool: the names of *.body.lost files are not durable: %m");
}
