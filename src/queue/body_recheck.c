/*
 * body_recheck: see the header.
 */
#include "queue/body_recheck.h"

#include <errno.h>
#include <fcntl.h>

#include "base/log.h"
#include "base/mem.h"
#include "queue/outcomes.h"
#include "spool/spool_fault.h"

enum { CHECKS_MAX = 64 };

struct reread {
	LIST_ENTRY(reread) link;
	struct queue *queue;
	struct spool_reading reading;
	struct msgid id;
};

static void
reread_free(struct reread *c)
{
	LIST_REMOVE(c, link);
	spool_read_cancel(&c->reading);
	mem_free(c);
}

/* result 0: it fits; a finding of the body: it does not; else it could not be read. */
static void
reread_end(struct reread *c, int result)
{
	struct queue *q = c->queue;
	struct entry *e = book_find(&q->book, c->id);
	char id[ID_NUMBER_TEXT_BYTES];

	msgid_text(c->id, 0, id);
	reread_free(c);
	if (e && finding_of_body(result) && !e->is_held)
		results_hold_damaged(q, e, result);
	else if (e && result == 0)
		log_warn("message %s: relay read its body wrong, the queue reads what was stored; "
			 "it is tried again", id);
	else if (e)
		log_warn("message %s: relay read its body wrong, and the queue cannot read it now: "
			 "%s; it is tried again", id, finding_text(result));
}

static void
reread_checked(int error, void *arg)
{
	reread_end(arg, error);
}

static void
reread_got(const struct spool_content *content, int error, void *arg)
{
	struct reread *c = arg;
	int fd = -1;

	/* content's own is closed after this call */
	if (!error) {
		fd = fcntl(content->fd, F_DUPFD_CLOEXEC, 0);
		error = errno;
	}
	if (fd < 0)
		reread_end(c, error);
	else
		spool_check_body(c->queue->spool, fd, content->sums, reread_checked, c);
}

void
reread_begin(struct queue *q, const struct entry *e)
{
	struct reread *c;
	unsigned count = 0;

	LIST_FOREACH(c, &q->rereads, link)
		if (msgid_eq(c->id, e->id) || ++count >= CHECKS_MAX)
			return;
	c = MEM_NEW(struct reread);
	c->queue = q;
	c->id = e->id;
	LIST_INSERT_HEAD(&q->rereads, c, link);
	spool_read(q->spool, &c->reading, e->id, reread_got, c);
}

void
reread_clear(struct queue *q)
{
	struct reread *c;

	while ((c = LIST_FIRST(&q->rereads)))
		reread_free(c);
}
