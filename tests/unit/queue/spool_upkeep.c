/* What the spool reads and syncs for itself (survivors of a segment that is freed, what is left of a
 * damaged message, a body that is checked again) while the disk stands still there: appends,
 * statuses and deliveries of other messages go on, and what is copied is what was answered. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "mail/sums.h"
#include "queue/store.h"

enum { SEGMENTS_FEW = 5, PATIENCE_MS = 20000, HOLE_MS = 100, LARGE_BYTES = 120000 };

static char directory[64];
static struct fsio *io;
static const struct fsio_ops *disk;
static struct fsio_ops watched;
static struct spool *spool;

/* Reads of what holds these words do not end while the disk stands still there, but for the first
 * so many; syncs of files that were opened to be written neither. */
static const char stuck_words[] = "STUCK";
static atomic_bool stands_still, syncs_stand_still, log_stands_still;
static atomic_int let_through;
static atomic_uint stuck;         /* calls that stood still */
static atomic_int damaged_byte;   /* what they read differs by it */
static atomic_uint holes;         /* reads of a page, which all failed, each after HOLE_MS */
static atomic_bool has_holes;
static atomic_int aside_fd;

static void
stand(const atomic_bool *flag)
{
	if (!*flag)
		return;
	stuck++;
	while (*flag)
		usleep(1000);
}

static ssize_t
watch_pread(struct fsio *f, int fd, void *p, size_t n, off_t at)
{
	ssize_t got = disk->pread(f, fd, p, n, at);
	char *words = got > 0 ? memmem(p, (size_t)got, stuck_words, strlen(stuck_words)) : NULL;

	if (has_holes && n == SEGMENT_SALVAGE_BYTES) {
		usleep(HOLE_MS * 1000);
		holes++;
		errno = EIO;
		return -1;
	}
	if (!words)
		return got;
	if (let_through-- <= 0)
		stand(&stands_still);
	words[strlen(stuck_words) + 1] ^= (char)damaged_byte;
	return got;
}

static int
watch_open(struct fsio *f, const char *name, int flags)
{
	int fd = disk->open(f, name, flags);

	if (strstr(name, ".aside"))
		aside_fd = fd;
	return fd;
}

static int
watch_sync_data(struct fsio *f, int fd)
{
	stand(fd == aside_fd ? &syncs_stand_still : &log_stands_still);
	return disk->sync_data(f, fd);
}

static void
open_spool(void)
{
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN * 4};

	io = fsio_new(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	disk = io->ops;
	watched = *disk;
	watched.pread = watch_pread;
	watched.open = watch_open;
	watched.sync_data = watch_sync_data;
	io->ops = &watched;
	o.io = io;
	spool = spool_open(&o, NULL);
	cr_assert_not_null(spool);
}

static void
begin(void)
{
	strncpy(directory, "/tmp/test-upkeep-XXXXXX", sizeof directory - 1);
	cr_assert_not_null(mkdtemp(directory));
	aside_fd = -1;
	open_spool();
}

static void
remove_one(const char *name, void *arg)
{
	unlinkat(*(int *)arg, name, 0);
}

static void
end(void)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	stands_still = syncs_stand_still = log_stands_still = has_holes = false;
	spool_close(&spool);
	cr_expect_eq(disk->list(io, remove_one, &fd), 0);
	fsio_free(&io);
	close(fd);
	rmdir(directory);
}

static void
open_again(void)
{
	spool_close(&spool);
	fsio_free(&io);
	open_spool();
}

TestSuite(spool_upkeep, .init = begin, .fini = end, .timeout = 60);

/* ---- the loop ---- */

static struct msgid
id_of(uint32_t number)
{
	return (struct msgid){(uint64_t)7 << 18, number};
}

static void
heard(int error, void *arg)
{
	*(int *)arg = error;
}

/* As the queue's loop does it: no call of the spool may take long. */
static void
turn(void)
{
	struct pollfd p = {.fd = spool_fd(spool), .events = POLLIN};
	int64_t before;

	poll(&p, 1, 20);
	before = clock_mono_ms();
	spool_dispatch(spool);
	cr_assert_lt(clock_mono_ms() - before, 5000, "the loop stood still");
}

static void
turn_until(const int *answer)
{
	int64_t end_ms = clock_mono_ms() + PATIENCE_MS;

	while (*answer == -1 && clock_mono_ms() < end_ms)
		turn();
	cr_assert_neq(*answer, -1, "waited for ever");
}

static void
append_soon(const struct spool_entry *e, size_t count, int *answer)
{
	struct spool_batch b = {
	    .entries = e, .count = count, .urgency = SPOOL_NOW, .fn = heard, .arg = answer};

	*answer = -1;
	cr_assert_eq(spool_append(spool, &b), 0);
}

static void
append(const struct spool_entry *e, size_t count)
{
	int answer;

	append_soon(e, count, &answer);
	turn_until(&answer);
	cr_assert_eq(answer, 0);
}

static struct spool_entry
message(uint32_t number, struct str words)
{
	struct spool_entry e = {.kind = SPOOL_MESSAGE, .id = id_of(number)};

	e.message.recipient_count = 2;
	e.message.envelope = words;
	e.message.header = STR("h");
	e.message.body = STR("a body");
	return e;
}

static struct spool_entry
status(uint32_t number, uint32_t recipient, uint32_t attempts)
{
	struct spool_entry e = {.kind = SPOOL_STATUS, .id = id_of(number)};

	e.status.number = recipient;
	e.status.outcome = attempts ? SPOOL_DEFERRED : SPOOL_DONE;
	e.status.is_settled = attempts == 0;
	e.status.attempts = attempts;
	return e;
}

static void
store(uint32_t number, struct str words)
{
	struct spool_entry e = message(number, words);

	append(&e, 1);
}

static void
settle(uint32_t number)
{
	struct spool_entry e[2] = {status(number, 1, 0), status(number, 2, 0)};

	append(e, 2);
}

/* Messages that are finished at once, so that the log moves on and segments are freed. */
static void
churn(uint32_t from, unsigned count)
{
	static char body[8000];

	for (uint32_t n = from; n < from + count; n++) {
		struct spool_entry e[3] = {message(n, STR("e")), status(n, 1, 0), status(n, 2, 0)};

		e[0].message.body = str_make(body, sizeof body);
		append(e, 3);
	}
}

static void
got(const struct spool_content *content, int error, void *arg)
{
	*(int *)arg = content ? 0 : error;
}

static void
read_one(uint32_t number)
{
	struct spool_reading r = {.of = NULL};
	int answer = -1;

	spool_read(spool, &r, id_of(number), got, &answer);
	turn_until(&answer);
	cr_assert_eq(answer, 0);
}

/* Other messages are taken, read and settled. */
static void
others_go_on(uint32_t from)
{
	for (uint32_t n = from; n < from + 20; n++) {
		store(n, STR("other"));
		read_one(n);
		settle(n);
	}
}

static void
wait_stuck(void)
{
	int64_t end_ms = clock_mono_ms() + PATIENCE_MS;

	while (stuck == 0 && clock_mono_ms() < end_ms)
		turn();
	cr_assert_eq(stuck, 1, "%u", stuck);
}

static uint64_t
segments(void)
{
	struct spool_stats stats;

	spool_stats(spool, &stats);
	return stats.segments;
}

/* ---- survivors ---- */

/* Compaction reads message 1 and does not come to an end of it; 2 and 3 are behind. */
static void
begin_compaction(void)
{
	store(1, STR("STUCK 1"));
	store(2, STR("e"));
	store(3, STR("e"));
	stands_still = true;
	churn(1000, 200);
	wait_stuck();
}

static void
end_compaction(void)
{
	stands_still = false;
	churn(2000, 200);
	cr_assert_leq(segments(), SEGMENTS_FEW, "%llu", (unsigned long long)segments());
}

Test(spool_upkeep, a_survivor_whose_read_stands_still_stops_nobody)
{
	struct spool_message m;

	begin_compaction();
	others_go_on(10);
	read_one(2);
	churn(3000, 100);
	cr_assert_eq(stuck, 1);
	cr_assert_gt(segments(), SEGMENTS_FEW, "its segment was freed under the read");
	end_compaction();
	for (uint32_t n = 1; n <= 3; n++) {
		cr_assert(spool_find(spool, id_of(n), &m));
		read_one(n);
	}
}

/* The copy is made of what was answered until then, not of what it was when its read was begun. */
Test(spool_upkeep, a_copy_holds_what_was_answered_during_the_read)
{
	struct spool_entry e[2] = {status(1, 2, 3), {.kind = SPOOL_HOLD, .id = id_of(1)}};
	struct spool_message m;

	begin_compaction();
	e[1].hold.is_held = true;
	e[1].hold.why = STR("because");
	append(e, 2);
	end_compaction();
	open_again();
	cr_assert(spool_find(spool, id_of(1), &m));
	cr_assert(m.is_held && str_eq(m.held_why, STR("because")));
	cr_assert_not_null(m.recipients);
	cr_assert_eq(m.recipients[1].attempts, 3);
	cr_assert_eq(m.recipients[1].outcome, SPOOL_DEFERRED);
}

/* Its status is under way when the read ends: it is not copied now, for its copy would stand behind
 * that status without it, and it is not forgotten. */
Test(spool_upkeep, a_survivor_with_an_append_under_way_is_copied_later)
{
	const struct segment *oldest;
	struct spool_entry e = status(1, 2, 3);
	struct spool_message m;
	int answer;

	begin_compaction();
	oldest = spool->index.oldest;
	log_stands_still = true;
	append_soon(&e, 1, &answer);
	stands_still = false;
	for (int n = 0; n < 1000 && index_find(&spool->index, id_of(1))->survivor; n++)
		turn();
	cr_assert_null(index_find(&spool->index, id_of(1))->survivor);
	cr_assert_eq(answer, -1);
	log_stands_still = false;
	turn_until(&answer);
	for (int n = 0; n < 1000 && spool->index.oldest == oldest; n++)
		turn();
	cr_assert_neq(spool->index.oldest, oldest, "it is freed");
	/* at once: the next copy would mend it */
	open_again();
	cr_assert(spool_find(spool, id_of(1), &m));
	cr_assert(m.recipients && m.recipients[1].attempts == 3);
}

Test(spool_upkeep, a_survivor_that_is_finished_during_its_read_is_not_copied)
{
	struct spool_message m;

	begin_compaction();
	settle(1);
	end_compaction();
	cr_assert_not(spool_find(spool, id_of(1), &m));
	open_again();
	cr_assert_not(spool_find(spool, id_of(1), &m));
	cr_assert(spool_find(spool, id_of(2), &m));
}

/* However many survive, only so many are read before they are copied. */
Test(spool_upkeep, survivors_that_are_read_ahead_are_bounded)
{
	unsigned most = 0;

	for (uint32_t n = 1; n <= 500; n++)
		store(n, STR("e"));
	for (uint32_t n = 1000; n < 1300; n++) {
		churn(n, 1);
		most = spool->copies.ahead > most ? spool->copies.ahead : most;
		cr_assert_leq(spool->copies.ahead, COPIES_AHEAD_MAX);
	}
	cr_assert_gt(most, 1, "they are read one by one");
	for (uint32_t n = 1; n <= 500; n++)
		read_one(n);
	cr_assert_leq(segments(), SEGMENTS_FEW, "%llu", (unsigned long long)segments());
}

/* ---- what is lost ---- */

struct keeping {
	int kept;                 /* enum lost_result, as lost_keep tells; -1: not yet */
	int stored;
	uint32_t number;
	size_t ends;              /* recipients that come to their end */
};

static void
kept(enum lost_result result, void *arg)
{
	struct keeping *k = arg;
	struct spool_recipient ends[2] = {{.number = 1, .outcome = SPOOL_FAILED},
	    {.number = 2, .outcome = SPOOL_FAILED}};
	struct lost l = {.id = id_of(k->number), .envelope = STR("words"), .ends = ends, .count = k->ends,
	    .fn = heard, .arg = &k->stored};

	k->kept = (int)result;
	if (result == LOST_KEPT)
		cr_assert_eq(lost_put(spool, &l), LOST_BEGUN);
}

static void
keep(struct keeping *k, uint32_t number)
{
	*k = (struct keeping){-1, -1, number, 2};
	cr_assert_eq(lost_keep(spool, id_of(number), EBADMSG, kept, k), LOST_BEGUN);
}

static bool
is_there(const char *end)
{
	char id[ID_NUMBER_TEXT_BYTES], name[80];
	struct fsio_file file;

	snprintf(name, sizeof name, "%s%s", msgid_text(id_of(1), 0, id), end);
	return disk->inspect(io, name, &file) == 0;
}

/* Message 1 was read wrong once; the next try proves it. */
static void
damage(struct keeping *k)
{
	store(1, STR("STUCK 1"));
	damaged_byte = 1;
	keep(k, 1);
	turn_until(&k->kept);
	cr_assert_eq(k->kept, LOST_UNPROVEN, "one read is no proof");
	stuck = 0;
}

Test(spool_upkeep, a_loss_whose_reads_and_syncs_stand_still_stops_nobody)
{
	struct spool_message m;
	struct keeping k;

	damage(&k);
	stands_still = syncs_stand_still = true;
	let_through = 1;
	keep(&k, 1);
	wait_stuck();
	others_go_on(10);
	cr_assert_eq(lost_keep(spool, id_of(1), EBADMSG, kept, &k), LOST_BUSY);
	stuck = 0;
	stands_still = false;
	wait_stuck();
	others_go_on(100);
	cr_assert_eq(k.kept, -1);
	syncs_stand_still = false;
	turn_until(&k.stored);
	cr_assert(k.kept == LOST_KEPT && k.stored == 0);
	cr_assert(is_there(".aside"));
	cr_assert(spool_find(spool, id_of(1), &m));
	cr_assert(m.header_bytes == 0 && m.recipients[0].outcome == SPOOL_FAILED);
}

/* The operator deletes it meanwhile: nothing is told of it, and nothing of it is kept. */
Test(spool_upkeep, a_message_that_is_deleted_while_it_is_put_aside)
{
	struct keeping k;

	damage(&k);
	syncs_stand_still = true;
	keep(&k, 1);
	wait_stuck();
	cr_assert(is_there(".aside"));
	settle(1);
	syncs_stand_still = false;
	turn_until(&k.kept);
	cr_assert_eq(k.kept, LOST_GONE);
	for (int n = 0; n < 100 && is_there(".aside"); n++)
		turn();
	cr_assert_not(is_there(".aside"));
}

/* Something of it is answered meanwhile: whoever is told decides anew with what is known then. */
Test(spool_upkeep, a_message_that_goes_on_while_it_is_put_aside)
{
	struct spool_entry e = status(1, 2, 3);
	struct spool_message m;
	struct keeping k;
	int answer;

	damage(&k);
	syncs_stand_still = true;
	keep(&k, 1);
	wait_stuck();
	log_stands_still = true;
	append_soon(&e, 1, &answer);
	syncs_stand_still = false;
	turn_until(&k.kept);
	cr_assert_eq(k.kept, LOST_BUSY);
	cr_assert_eq(answer, -1);
	log_stands_still = false;
	turn_until(&answer);
	keep(&k, 1);
	k.ends = 1;
	turn_until(&k.stored);
	cr_assert(k.kept == LOST_KEPT && k.stored == 0);
	cr_assert(spool_find(spool, id_of(1), &m));
	cr_assert_eq(m.recipients[0].outcome, SPOOL_FAILED);
	cr_assert_eq(m.recipients[1].outcome, SPOOL_DEFERRED);
	cr_assert_eq(m.recipients[1].attempts, 3);
}

/* It is deleted while what is left is written: that is durable only after the thread has ended. */
Test(spool_upkeep, a_message_whose_deletion_is_under_way_while_it_is_put_aside)
{
	struct spool_entry e[2] = {status(1, 1, 0), status(1, 2, 0)};
	struct keeping k;
	int answer;

	damage(&k);
	syncs_stand_still = true;
	keep(&k, 1);
	wait_stuck();
	log_stands_still = true;
	append_soon(e, 2, &answer);
	syncs_stand_still = false;
	turn_until(&k.kept);
	cr_assert_eq(k.kept, LOST_BUSY);
	cr_assert(is_there(".aside"));
	log_stands_still = false;
	turn_until(&answer);
	for (int n = 0; n < 100 && is_there(".aside"); n++)
		turn();
	cr_assert_not(is_there(".aside"));
}

/* The spool ends right after a message has gone: what was put aside of it is not left behind. */
Test(spool_upkeep, close_while_what_was_put_aside_is_removed)
{
	struct keeping k;

	damage(&k);
	syncs_stand_still = true;
	keep(&k, 1);
	wait_stuck();
	settle(1);
	syncs_stand_still = false;
	turn_until(&k.kept);
	cr_assert_eq(k.kept, LOST_GONE);
	spool_close(&spool);
	cr_assert_not(is_there(".aside"));
	fsio_free(&io);
	open_spool();
}

static void
store_large(uint32_t number)
{
	static char body[LARGE_BYTES];
	struct spool_entry e = message(number, STR("STUCK 1"));

	memset(body, 'b', sizeof body);
	e.message.body = str_make(body, sizeof body);
	append(&e, 1);
}

/* Each page that cannot be read takes its time: others are read in between, and a stop waits for
 * one of them only. */
Test(spool_upkeep, close_while_a_loss_is_put_aside)
{
	struct keeping k, other;
	unsigned before;

	store_large(1);
	store(2, STR("e"));
	damaged_byte = 1;
	keep(&k, 1);
	turn_until(&k.kept);
	has_holes = true;
	keep(&k, 1);
	while (holes < 2)
		turn();
	keep(&other, 2);
	turn_until(&other.kept);
	cr_assert_eq(other.kept, LOST_SOUND);
	cr_assert_lt(holes, 8, "it waited for all of them");
	before = holes;
	spool_close(&spool);
	cr_assert_leq(holes, before + 1, "%u reads were waited for", holes - before);
	cr_assert_eq(k.kept, -1);
	has_holes = false;
	damaged_byte = 0;
	fsio_free(&io);
	open_spool();
	read_one(1);
}

/* ---- bodies that are checked ---- */

static int
make_body(char sum[SUMS_BYTES])
{
	static const char body[] = "STUCK in the body";
	char name[80];
	int fd;

	snprintf(name, sizeof name, "%s/a-body", directory);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(write(fd, body, sizeof body), (ssize_t)sizeof body);
	sums_make(str_make(body, sizeof body), sum);
	return fd;
}

Test(spool_upkeep, a_body_whose_check_stands_still_stops_nobody)
{
	char sum[SUMS_BYTES];
	int answer = -1, fd = make_body(sum);

	stands_still = true;
	spool_check_body(spool, fd, str_make(sum, sizeof sum), heard, &answer);
	wait_stuck();
	others_go_on(10);
	cr_assert_eq(answer, -1);
	stands_still = false;
	turn_until(&answer);
	cr_assert_eq(answer, 0);
	damaged_byte = 1;
	answer = -1;
	spool_check_body(spool, make_body(sum), str_make(sum, sizeof sum), heard, &answer);
	turn_until(&answer);
	cr_assert_eq(answer, EBADMSG);
}

Test(spool_upkeep, close_while_a_body_is_checked)
{
	char sum[SUMS_BYTES];
	int answer = -1;

	spool_check_body(spool, make_body(sum), str_make(sum, sizeof sum), heard, &answer);
	spool_check_body(spool, make_body(sum), str_make(sum, sizeof sum), heard, &answer);
	spool_close(&spool);
	cr_assert_eq(answer, -1);
	fsio_free(&io);
	open_spool();
}
