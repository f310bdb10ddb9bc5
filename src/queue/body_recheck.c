/*
 * body_recheck: there is one check of a message at a time, and a bounded number of all; a report
 * beyond that is dropped, because the next attempt reports again. The message is found by its id at
 * the end, as it may be removed meanwhile. Only an error of the body itself holds it.
 */
#include "queue/body_recheck.h"

#include <errno.h>
#include <fcntl.h>

#include "base/log.h"
#include "base/mem.h"
#include "queue/content_fault.h"
#include "spool/spool_fault.h"

enum { CHECKS_MAX = 64 };

struct body_recheck {
	LIST_ENTRY(body_recheck) link;
	struct queue *queue;
	struct spool_reading reading;
	struct msgid id;
};

static void
body_recheck_free(struct body_recheck *c)
{
	LIST_REMOVE(c, link);
	spool_read_cancel(&c->reading);
	mem_free(c);
}

/* result 0: the body is right; an error of the body: it is damaged; else it could not be read. */
static void
body_recheck_end(struct body_recheck *c, int result)
{
	struct queue *q = c->queue;
	struct queued_message *e = queued_find(&q->queued, c->id);
	char id[ID_NUMBER_TEXT_BYTES];

	msgid_text(c->id, 0, id);
	body_recheck_free(c);
	if (e && spool_fault_of_body(result) && !e->is_held)
		content_fault_hold(q, e, result);
	else if (e && result == 0)
		log_warn("message %s: relay read its body wrong, the queue reads what was stored; "
			 "it is tried again", id);
	else if (e)
		log_warn("message %s: relay read its body wrong, and the queue cannot read it now: "
			 "%s; it is tried again", id, spool_fault_text(result));
}

static void
body_recheck_checked(int error, void *arg)
{
	body_recheck_end(arg, error);
}

static void
body_recheck_got(const struct spool_content *content, int error, void *arg)
{
	struct body_recheck *c = arg;
	int fd = -1;

	/* the descriptor of content is closed after this call */
	if (!error) {
		fd = fcntl(content->fd, F_DUPFD_CLOEXEC, 0);
		error = errno;
	}
	if (fd < 0)
		body_recheck_end(c, error);
	else
		spool_check_body(c->queue->spool, fd, content->sums, body_recheck_checked, c);
}

void
body_recheck_begin(struct queue *q, const struct queued_message *e)
{
	struct body_recheck *c;
	unsigned count = 0;

	LIST_FOREACH(c, &q->body_rechecks, link)
		if (msgid_eq(c->id, e->id) || ++count >= CHECKS_MAX)
			return;
	c = MEM_NEW(struct body_recheck);
	c->queue = q;
	c->id = e->id;
	LIST_INSERT_HEAD(&q->body_rechecks, c, link);
	spool_read(q->spool, &c->reading, e->id, body_recheck_got, c);
}

void
body_recheck_clear(struct queue *q)
{
	struct body_recheck *c;

	while ((c = LIST_FIRST(&q->body_rechecks)))
		body_recheck_free(c);
}
