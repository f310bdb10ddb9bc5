/*
 * storage_check: one note is under way at most. The evidence is the time of the last durable write,
 * which the spool knows, and the number of late updates, which their owner adds and takes away; no
 * update is stored here. Late updates are logged up to a number, then only counted.
 */
#include "queue/storage_check.h"

#include <errno.h>

#include "base/clock.h"
#include "base/error_text.h"
#include "base/log.h"
#include "queue/queue_internal.h"
#include "spool/completion.h"

static void
storage_check_failed(struct queue *q, int error)
{
	struct disk_retry *t = &q->storage_check.retry;

	errno = error;
	disk_retry_log(t, "deliveries wait, for what becomes of them cannot be stored");
	disk_retry_pause(t, STORAGE_CHECK_RETRY_MS);
	queue_retry_later(q);
}

static void
storage_check_answered(int error, void *arg)
{
	struct queue *q = arg;

	q->storage_check.is_asked = false;
	if (error)
		storage_check_failed(q, error);
	else
		queue_wake(q);
}

static void
storage_check_ask(struct queue *q)
{
	struct spool_entry entry = {.kind = SPOOL_NOTE, .note.name = STR("storing")};
	struct spool_batch batch = {.entries = &entry,
	    .count = 1,
	    .urgency = SPOOL_NOW,
	    .fn = storage_check_answered,
	    .arg = q};

	if (q->storage_check.is_asked || disk_retry_is_pausing(&q->storage_check.retry))
		return;
	q->storage_check.is_asked = true;
	if (spool_append(q->spool, &batch) != 0)
		storage_check_answered(errno, q);
}

bool
storage_check_may_deliver(struct queue *q)
{
	int64_t stored_ms = completion_stored_ms(q->spool);

	/* the owner of the updates stores them again, and their success is proof enough */
	if (q->storage_check.late_count)
		return false;
	if (!stored_ms || clock_mono_ms() - stored_ms > STORAGE_CHECK_FRESH_MS) {
		storage_check_ask(q);
		return false;
	}
	disk_retry_end(&q->storage_check.retry, "deliveries begin");
	return true;
}

void
storage_check_add_late(
    struct queue *q, struct msgid id, uint32_t number, enum spool_outcome outcome, int error)
{
	static const char *const words[] = {[SPOOL_WAITING] = "waiting",
	    [SPOOL_DONE] = "sent",
	    [SPOOL_DEFERRED] = "deferred",
	    [SPOOL_FAILED] = "failed"};
	struct storage_check *s = &q->storage_check;
	char text[ID_NUMBER_TEXT_BYTES];

	storage_check_failed(q, error);
	s->late_count++;
	s->logged_count++;
	if (s->logged_count <= STORAGE_CHECK_LOGGED_MAX)
		log_warn("spool: the status of %s (%s) could not be stored: %s; a restart before "
			 "it is may send it again", msgid_text(id, number, text), words[outcome],
		    error_text(error));
	else if (s->logged_count == STORAGE_CHECK_LOGGED_MAX + 1)
		log_warn("spool: more statuses that were not stored are only counted");
}

void
storage_check_drop_late(struct queue *q)
{
	struct storage_check *s = &q->storage_check;

	if (--s->late_count)
		return;
	if (s->logged_count > STORAGE_CHECK_LOGGED_MAX)
		log_warn("spool: %u statuses were stored late", s->logged_count);
	s->logged_count = 0;
	queue_wake(q);
}

void
storage_check_end(struct queue *q)
{
	if (q->storage_check.late_count)
		log_error("spool: %u statuses were not stored: mail that was sent may be sent "
			  "again after the next start", q->storage_check.late_count);
}
