/*
 * tasks: one lock protects two lists: tasks that wait and tasks that are done. A task that runs is
 * in neither, the lock is free meanwhile, and it cannot be cancelled. The event descriptor is
 * written for the first done task only, so the loop must take all of them. Tasks are freed by the
 * callbacks of their owner and never here.
 */
#include "base/tasks.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>

void
tasks_init(struct tasks *t, const struct tasks_setup *setup)
{
	*t = (struct tasks){.o = *setup, .is_thread = setup->is_thread};
	stall_init(&t->stall, setup->thread);
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->wake, NULL);
	TAILQ_INIT(&t->submitted);
	TAILQ_INIT(&t->done);
}

/* Called with the lock held, which is held again on return. */
static void
tasks_run_piece(struct tasks *t, struct task *task)
{
	bool is_done;

	TAILQ_REMOVE(&t->submitted, task, link);
	task->is_waiting = false;
	pthread_mutex_unlock(&t->lock);
	stall_begin(&t->stall, task->kind->work, task->id);
	is_done = task->kind->run(t->o.io, task->of);
	stall_end(&t->stall);
	pthread_mutex_lock(&t->lock);
	if (!is_done) {
		task->is_waiting = true;
		TAILQ_INSERT_TAIL(&t->submitted, task, link);
		return;
	}
	/* the loop takes all complete tasks at once */
	if (TAILQ_EMPTY(&t->done))
		eventfd_write(t->o.event_fd, 1);
	TAILQ_INSERT_TAIL(&t->done, task, link);
}

static void *
tasks_thread_main(void *arg)
{
	struct tasks *t = arg;
	struct task *task;

	pthread_setname_np(pthread_self(), t->o.thread->name);
	pthread_mutex_lock(&t->lock);
	while (!t->is_stopping) {
		task = TAILQ_FIRST(&t->submitted);
		if (task) {
			tasks_run_piece(t, task);
			continue;
		}
		t->is_waiting = true;
		pthread_cond_wait(&t->wake, &t->lock);
		t->is_waiting = false;
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

/* The thread receives no signals: they are for the loop. */
static int
tasks_create_thread(struct tasks *t)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&t->thread, NULL, tasks_thread_main, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

int
tasks_start(struct tasks *t)
{
	int error = t->is_thread ? tasks_create_thread(t) : 0;

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

bool
tasks_stop_within(struct tasks *t, int64_t ms)
{
	struct timespec until;

	tasks_halt(t);
	if (!t->is_thread)
		return true;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	if (pthread_timedjoin_np(t->thread, NULL, &until) == 0)
		return true;
	pthread_detach(t->thread);
	return false;
}

void
tasks_clear(struct tasks *t, void *owner)
{
	struct task *task;

	TAILQ_CONCAT(&t->submitted, &t->done, link);
	while ((task = TAILQ_FIRST(&t->submitted))) {
		TAILQ_REMOVE(&t->submitted, task, link);
		task->kind->drop(owner, task->of);
	}
	pthread_cond_destroy(&t->wake);
	pthread_mutex_destroy(&t->lock);
	stall_clear(&t->stall);
}

void
tasks_submit(struct tasks *t, struct task *task, const struct task_kind *kind, void *of)
{
	bool wake;

	task->kind = kind;
	task->of = of;
	pthread_mutex_lock(&t->lock);
	task->is_waiting = true;
	TAILQ_INSERT_TAIL(&t->submitted, task, link);
	wake = t->is_waiting;
	pthread_mutex_unlock(&t->lock);
	if (wake)
		pthread_cond_signal(&t->wake);
	/* by hand: the task runs in the next tasks_dispatch */
	if (!t->is_thread)
		eventfd_write(t->o.event_fd, 1);
}

bool
tasks_cancel(struct tasks *t, struct task *task)
{
	bool is_cancelled;

	pthread_mutex_lock(&t->lock);
	is_cancelled = task->is_waiting;
	if (is_cancelled)
		TAILQ_REMOVE(&t->submitted, task, link);
	task->is_waiting = false;
	pthread_mutex_unlock(&t->lock);
	return is_cancelled;
}

static void
tasks_step(struct tasks *t)
{
	struct task *task;

	pthread_mutex_lock(&t->lock);
	while ((task = TAILQ_FIRST(&t->submitted)))
		tasks_run_piece(t, task);
	pthread_mutex_unlock(&t->lock);
}

void
tasks_dispatch(struct tasks *t, void *owner)
{
	struct task_list list = TAILQ_HEAD_INITIALIZER(list);
	struct task *task;

	if (!t->is_thread)
		tasks_step(t);
	pthread_mutex_lock(&t->lock);
	TAILQ_CONCAT(&list, &t->done, link);
	pthread_mutex_unlock(&t->lock);
	while ((task = TAILQ_FIRST(&list))) {
		TAILQ_REMOVE(&list, task, link);
		task->kind->done(owner, task->of);
	}
}
