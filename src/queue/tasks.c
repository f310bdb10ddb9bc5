/*
 * tasks: see the header.
 */
#include "queue/tasks.h"

#include <errno.h>
#include <sys/eventfd.h>

void
tasks_init(
    struct tasks *t, enum spool_thread thread, struct fsio *io, int event_fd, bool is_thread)
{
	*t = (struct tasks){.io = io, .event_fd = event_fd, .is_thread = is_thread};
	stall_init(&t->stall, thread);
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->wake, NULL);
	TAILQ_INIT(&t->asked);
	TAILQ_INIT(&t->done);
}

/* Called and left with the lock held. */
static void
tasks_work(struct tasks *t, struct task *one)
{
	bool is_done;

	TAILQ_REMOVE(&t->asked, one, link);
	pthread_mutex_unlock(&t->lock);
	stall_begin(&t->stall, one->kind->work, one->id);
	is_done = one->kind->run(t->io, one->of);
	stall_end(&t->stall);
	pthread_mutex_lock(&t->lock);
	if (!is_done) {
		TAILQ_INSERT_TAIL(&t->asked, one, link);
		return;
	}
	/* the loop takes all of them at once */
	if (TAILQ_EMPTY(&t->done))
		eventfd_write(t->event_fd, 1);
	TAILQ_INSERT_TAIL(&t->done, one, link);
}

static void *
tasks_run(void *arg)
{
	struct tasks *t = arg;
	struct task *one;

	pthread_setname_np(pthread_self(), spool_thread_name(t->stall.thread));
	pthread_mutex_lock(&t->lock);
	while (!t->is_stopping) {
		one = TAILQ_FIRST(&t->asked);
		if (one) {
			tasks_work(t, one);
			continue;
		}
		t->is_waiting = true;
		pthread_cond_wait(&t->wake, &t->lock);
		t->is_waiting = false;
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

int
tasks_start(struct tasks *t)
{
	int error = t->is_thread ? pthread_create(&t->thread, NULL, tasks_run, t) : 0;

	if (error) {
		t->is_thread = false;
		errno = error;
	}
	return error ? -1 : 0;
}

void
tasks_halt(struct tasks *t)
{
	pthread_mutex_lock(&t->lock);
	t->is_stopping = true;
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
}

void
tasks_stop(struct tasks *t)
{
	tasks_halt(t);
	if (t->is_thread)
		pthread_join(t->thread, NULL);
}

void
tasks_clear(struct tasks *t, struct spool *s)
{
	struct task *one;

	TAILQ_CONCAT(&t->asked, &t->done, link);
	while ((one = TAILQ_FIRST(&t->asked))) {
		TAILQ_REMOVE(&t->asked, one, link);
		one->kind->drop(s, one->of);
	}
	pthread_cond_destroy(&t->wake);
	pthread_mutex_destroy(&t->lock);
	stall_clear(&t->stall);
}

void
tasks_ask(struct tasks *t, struct task *one, const struct task_kind *kind, void *of)
{
	bool wake;

	one->kind = kind;
	one->of = of;
	pthread_mutex_lock(&t->lock);
	TAILQ_INSERT_TAIL(&t->asked, one, link);
	wake = t->is_waiting;
	pthread_mutex_unlock(&t->lock);
	if (wake)
		pthread_cond_signal(&t->wake);
	/* by hand: it is done when the loop comes again */
	if (!t->is_thread)
		eventfd_write(t->event_fd, 1);
}

static void
tasks_step(struct tasks *t)
{
	struct task *one;

	pthread_mutex_lock(&t->lock);
	while ((one = TAILQ_FIRST(&t->asked)))
		tasks_work(t, one);
	pthread_mutex_unlock(&t->lock);
}

void
tasks_answer(struct tasks *t, struct spool *s)
{
	struct task_list list = TAILQ_HEAD_INITIALIZER(list);
	struct task *one;

	if (!t->is_thread)
		tasks_step(t);
	pthread_mutex_lock(&t->lock);
	TAILQ_CONCAT(&list, &t->done, link);
	pthread_mutex_unlock(&t->lock);
	while ((one = TAILQ_FIRST(&list))) {
		TAILQ_REMOVE(&list, one, link);
		one->kind->done(s, one->of);
	}
}
