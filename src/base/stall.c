/*
 * stall: the thread notes its piece and the loop reads a copy of it, both under a lock that is
 * never held during work. Pieces are numbered, so that the loop sees the end of a piece that it
 * logged even when the next one runs already. What was logged is known to the loop alone. Nothing
 * is ended or retried here.
 */
#include "base/stall.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"

void
stall_init(struct stall *t, const struct stall_thread *thread)
{
	*t = (struct stall){.thread = thread};
	pthread_mutex_init(&t->lock, NULL);
}

void
stall_clear(struct stall *t)
{
	pthread_mutex_destroy(&t->lock);
}

void
stall_begin(struct stall *t, const char *work, struct msgid id)
{
	int64_t now = clock_mono_ms();

	pthread_mutex_lock(&t->lock);
	t->piece = (struct stall_piece){t->piece.number + 1, now, work, id};
	pthread_mutex_unlock(&t->lock);
}

void
stall_end(struct stall *t)
{
	pthread_mutex_lock(&t->lock);
	t->piece.began_ms = 0;
	pthread_mutex_unlock(&t->lock);
}

static struct stall_piece
stall_now(struct stall *t)
{
	struct stall_piece p;

	pthread_mutex_lock(&t->lock);
	p = t->piece;
	pthread_mutex_unlock(&t->lock);
	return p;
}

int64_t
stall_ms(struct stall *t)
{
	struct stall_piece p = stall_now(t);

	return p.began_ms ? clock_mono_ms() - p.began_ms : 0;
}

static void
stall_log(const struct stall *t, const struct stall_piece *p, bool is_over)
{
	const struct stall_thread *thread = t->thread;
	long long seconds = (clock_mono_ms() - p->began_ms) / 1000;
	const char *of = p->id.number ? " of message " : "";
	char id[ID_NUMBER_TEXT_BYTES] = "";

	if (p->id.number)
		msgid_text(p->id, 0, id);
	if (is_over)
		log_warn("%s: thread %s goes on after %lld s: %s%s%s", thread->owner,
		    thread->name, seconds, p->work, of, id);
	else
		log_error("%s: thread %s has waited %lld s for the disk: %s%s%s; %s", thread->owner,
		    thread->name, seconds, p->work, of, id, thread->waits);
}

void
stall_check(struct stall *t, int64_t longest_ms)
{
	struct stall_piece p = stall_now(t);
	bool was_logged = t->logged.number == p.number && p.began_ms;
	int64_t now_ms = clock_mono_ms();

	if (t->logged.number && !was_logged) {
		stall_log(t, &t->logged, true);
		t->logged.number = 0;
	}
	if (!p.began_ms)
		return;
	if (was_logged ? now_ms - t->logged_ms < STALL_AGAIN_TIMES * longest_ms
	            : now_ms - p.began_ms < longest_ms)
		return;
	stall_log(t, &p, false);
	t->logged = p;
	t->logged_ms = now_ms;
}

bool
stall_text(struct stall *t, int64_t longest_ms, char *out, size_t bytes)
{
	int64_t ms = stall_ms(t);

	if (!ms || ms < longest_ms)
		return false;
	snprintf(out, bytes, "thread %s waits %lld s for the disk: %s", t->thread->name,
	    (long long)ms / 1000, t->thread->waits);
	return true;
}
