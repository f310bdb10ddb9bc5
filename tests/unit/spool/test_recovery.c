/* recovery: a start that is refused has the right errno and has changed nothing. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "rig.h"
#include "spool/newest_segment.h"
#include "spool/spool_threads.h"

static unsigned create_failing; /* the number of the thread that cannot be started; 0: none */
static unsigned created;
static atomic_uint changes;     /* of the disk */

int __real_pthread_create(
    pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(
    pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);

int
__wrap_pthread_create(
    pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	if (++created == create_failing)
		return EAGAIN;
	return __real_pthread_create(thread, attr, fn, arg);
}

static ssize_t
count_pwritev(struct fsio *f, int fd, const struct iovec *v, int count, off_t at)
{
	changes++;
	return rig.disk->pwritev(f, fd, v, count, at);
}

static int
count_rename(struct fsio *f, const char *from, const char *to)
{
	changes++;
	return rig.disk->rename(f, from, to);
}

static int
count_unlink(struct fsio *f, const char *name)
{
	changes++;
	return rig.disk->unlink(f, name);
}

static void
watch(struct fsio_ops *ops)
{
	ops->pwritev = count_pwritev;
	ops->rename = count_rename;
	ops->unlink = count_unlink;
}

/* Each thread in turn cannot be started: this is not reported as a second process, and repeated
 * attempts do not fill the disk. */
Test(recovery, a_start_without_a_thread_is_refused_and_changes_nothing, .timeout = 60)
{
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN};

	rig_begin(&o, watch);
	rig_store(1);
	spool_close(&rig.spool);
	for (unsigned n = 1; n <= SPOOL_THREADS; n++) {
		changes = created = 0;
		create_failing = n;
		cr_assert_eq(rig_open_refused(), EAGAIN);
		cr_expect_eq(changes, 0, "thread %u: the disk was changed %u times", n, changes);
	}
	create_failing = 0;
	rig_open_again();
	rig_read(1);
	rig_end();
}

/* Which of the files that the writer has ready is taken next depends on how fast the disk is. */
static void
find_newest_segment(char *out, size_t bytes)
{
	struct newest_segment newest = {.io = rig.io};
	enum newest_segment_state state;
	char name[SEGMENT_NAME_BYTES];

	cr_assert_eq(newest_segment_read(&newest, &state), 0);
	cr_assert_eq(state, NEWEST_SEGMENT_GOOD);
	snprintf(out, bytes, "%s/%s", rig.directory, segment_name(newest.slot, name));
}

/* Repeated attempts do not change the file that names the newest segment. */
Test(recovery, a_start_without_the_newest_segment_is_refused_and_changes_nothing, .timeout = 60)
{
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN};
	char name[128], moved[128];

	rig_begin(&o, watch);
	rig_store(1);
	rig_open_again();
	rig_store(2);
	find_newest_segment(name, sizeof name);
	snprintf(moved, sizeof moved, "%s/%s", rig.directory, "damaged-away");
	spool_close(&rig.spool);
	cr_assert_eq(rename(name, moved), 0);
	for (int n = 0; n < 3; n++) {
		changes = 0;
		cr_assert_eq(rig_open_refused(), ENOTRECOVERABLE);
		cr_expect_eq(changes, 0, "the disk was changed %u times", changes);
	}
	cr_assert_eq(rename(moved, name), 0);
	rig_open_again();
	rig_read(1);
	rig_read(2);
	rig_end();
}
