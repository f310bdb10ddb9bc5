/*
 * reread: see the header.
 */
#include "queue/reread.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "mail/sums.h"
#include "queue/results.h"
#include "queue/segment.h"

enum { PIECE_BLOCKS = 16, CHECKS_MAX = 64 };

struct reread {
	LIST_ENTRY(reread) link;
	struct queue *queue;
	struct spool_reading reading;
	struct msgid id;
	int fd;
	size_t block;                    /* the next one */
	char *sums;
	size_t sums_bytes;
	struct event *turn;
};

static void
reread_free(struct reread *c)
{
	LIST_REMOVE(c, link);
	spool_read_cancel(&c->reading);
	event_free(c->turn);
	if (c->fd >= 0)
		close(c->fd);
	mem_free(c->sums);
	mem_free(c);
}

/* result 0: it fits; EBADMSG: it does not; else it could not be read. */
static void
reread_end(struct reread *c, int result)
{
	struct queue *q = c->queue;
	struct entry *e = book_find(&q->book, c->id);
	char id[ID_NUMBER_TEXT_BYTES];

	msgid_text(c->id, 0, id);
	reread_free(c);
	if (e && result == EBADMSG && !e->is_held)
		results_hold_damaged(q, e);
	else if (e && result == 0)
		log_warn("message %s: relay read its body wrong, the queue reads what was stored; "
			 "it is tried again", id);
	else if (e)
		log_warn("message %s: relay read its body wrong, and the queue cannot read it now: "
			 "%s; it is tried again", id, strerror(result));
}

static int
reread_block(struct reread *c, char *room)
{
	struct iovec v = {room, SUMS_BLOCK_BYTES};
	char sum[SUMS_BYTES];
	size_t got;

	if (segment_read(c->queue->io, c->fd, v, (off_t)c->block * SUMS_BLOCK_BYTES, &got) != 0)
		return errno;
	sums_make(str_make(room, got), sum);
	return memcmp(sum, c->sums + c->block * SUMS_BYTES, SUMS_BYTES) == 0 ? 0 : EBADMSG;
}

static void
reread_turn(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval next_turn = {0, 0};
	struct reread *c = arg;
	size_t blocks = c->sums_bytes / SUMS_BYTES;
	char *room = mem_new(SUMS_BLOCK_BYTES);
	int result = 0;

	(void)fd;
	(void)what;
	metrics_work_id("check a body again", c->id);
	for (int n = 0; n < PIECE_BLOCKS && c->block < blocks && result == 0; n++, c->block++)
		result = reread_block(c, room);
	mem_free(room);
	if (result || c->block >= blocks)
		reread_end(c, result);
	else
		evtimer_add(c->turn, &next_turn);
}

static void
reread_got(const struct spool_content *content, int error, void *arg)
{
	struct reread *c = arg;

	if (!content) {
		reread_end(c, error);
		return;
	}
	/* content's own is closed after this call */
	c->fd = fcntl(content->fd, F_DUPFD_CLOEXEC, 0);
	if (c->fd < 0) {
		reread_end(c, errno);
		return;
	}
	c->sums_bytes = content->sums.n;
	c->sums = mem_text(content->sums.p, content->sums.n);
	reread_turn(-1, 0, c);
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
	c->fd = -1;
	c->turn = evtimer_new(q->role->base, reread_turn, c);
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
