/* reading: the queue role on a disk that answers no reads, or not all of them. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "queue/dispatch.h"
#include "queue/reports/reports.h"
#include "rig.h"

enum { DOMAINS = 50, OWED = 5000, OWED_ROUND = 100 };

static const char slow[] = "retry = [ \"1h\" ]; concurrency = 4000;";

/* All domains are known before the message comes, so that its deliveries are due together. */
static void
learn_destinations(struct rig *r, char names[DOMAINS][32])
{
	for (unsigned i = 0; i < DOMAINS; i++) {
		snprintf(names[i], sizeof names[i], "a@d%u.example", i);
		rig_commit_soon(r, rig_id(1000 + i), "alice@example.com",
		    (const char *const[]){names[i], NULL});
	}
	rig_until(r, &r->attempt_count, DOMAINS);
	for (unsigned i = 0; i < DOMAINS; i++)
		rig_results(r, &r->attempts[i], 250, "none");
	rig_until(r, &r->stored, DOMAINS);
}

/* P1: a message to many domains is read once, not once for each. */
Test(reading, once_for_all_domains, .timeout = 60)
{
	static char names[DOMAINS][32];
	static struct rig r;
	const char *to[DOMAINS + 1] = {NULL};
	unsigned before;

	rig_begin(&r, slow);
	rig_relay(&r, true);
	learn_destinations(&r, names);
	for (unsigned i = 0; i < DOMAINS; i++)
		to[i] = names[i];
	before = r.disk->reads;
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com", to).code, 250);
	rig_until(&r, &r.attempt_count, 2 * DOMAINS);
	cr_assert_eq(r.disk->reads - before, 1, "%u reads", r.disk->reads - before);
	rig_end(&r);
}

/* P1: while no read ends, mail is accepted, the operator gets answers, and the number of open reads
 * is bounded; then everything is delivered once. */
Test(reading, a_disk_that_does_not_answer, .timeout = 60)
{
	static struct rig r;
	char to[32];

	rig_begin(&r, slow);
	rig_relay(&r, true);
	r.disk->blocks_reads = true;
	for (unsigned i = 0; i < 300; i++) {
		snprintf(to, sizeof to, "a@d%u.example", i);
		cr_assert_eq(rig_commit(&r, rig_id(i), "alice@example.com",
				 (const char *const[]){to, NULL}).code, 250);
	}
	rig_until(&r, &r.asked, 64);
	rig_admin(&r, "queue.list", rig_nothing);
	cr_assert_eq(r.row_count, 300);
	cr_assert_eq(r.attempt_count, 0);
	cr_assert_leq(r.disk->reads_asked, 64);
	r.disk->blocks_reads = false;
	rig_until(&r, &r.attempt_count, 300);
	for (unsigned i = 0; i < 300; i++)
		for (unsigned k = 0; k < i; k++)
			cr_assert_not(msgid_eq(r.attempts[i].id, r.attempts[k].id));
	rig_end(&r);
}

/* The operator's command waits for messages that cannot be read now, and its channel is lost: the
 * command ends. */
Test(reading, a_command_of_a_lost_peer, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, slow);
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com",
			 (const char *const[]){"a@one.example", NULL}).code, 250);
	r.disk->blocks_reads = true;
	rig_admin_soon(&r, "queue.show", rig_nothing);
	rig_wait(&r, 200);
	cr_assert_eq(r.dones, 0);
	rig_control_gone(&r);
	rig_wait(&r, 100);
	r.disk->blocks_reads = false;
	rig_relay(&r, true);
	rig_attempt(&r, 0);
	rig_end(&r);
}

/* Commands wait while no read ends: above a number they are refused, and they end by themselves;
 * other commands get answers meanwhile, and deliveries go on afterwards. */
Test(reading, many_commands_wait_for_the_disk, .timeout = 60)
{
	enum { SHOWS = 64, SHOWS_AT_ONCE = 32 };
	static struct rig r;

	clock_shorten_timeouts(10); /* they wait for two seconds */
	rig_begin(&r, slow);
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com",
			 (const char *const[]){"a@one.example", NULL}).code, 250);
	r.disk->blocks_reads = true;
	for (int i = 0; i < SHOWS; i++)
		rig_admin_soon(&r, "queue.show", rig_nothing);
	rig_until(&r, &r.dones, SHOWS - SHOWS_AT_ONCE);
	cr_expect_eq(r.done.exit_code, 75, "try again later");
	rig_admin(&r, "queue.list", rig_nothing);
	cr_expect_eq(r.done.exit_code, 0, "%s", r.done_text);
	cr_expect_geq(r.row_count, 1);
	rig_admin(&r, "queue.hold", rig_nothing);
	cr_expect_eq(r.done.exit_code, 0, "%s", r.done_text);
	cr_expect_eq(r.dones, SHOWS - SHOWS_AT_ONCE + 2, "the others wait still");
	rig_until(&r, &r.dones, SHOWS + 2);
	cr_expect_eq(r.done.exit_code, 75);
	cr_expect(strstr(r.done_text, "does not answer"), "%s", r.done_text);
	r.disk->blocks_reads = false;
	rig_admin(&r, "queue.show", rig_nothing);
	cr_expect_eq(r.done.exit_code, 0, "%s", r.done_text);
	rig_admin(&r, "queue.release", rig_nothing);
	rig_relay(&r, true);
	rig_attempt(&r, 0);
	clock_shorten_timeouts(1);
	rig_end(&r);
}

static void
commit_hopeless(struct rig *r, unsigned from, unsigned count)
{
	unsigned before = r->answers;

	for (unsigned i = from; i < from + count; i++)
		rig_commit_soon(r, rig_id(i), "alice@example.com",
		    (const char *const[]){"a@nx.example.org", NULL});
	rig_until(r, &r->answers, before + count);
}

/* P1: reports owed at a start are made a bounded number at a time, and all are made. */
Test(reading, many_reports_owed_after_a_restart, .timeout = 120)
{
	static struct rig r;

	rig_begin(&r, slow);
	rig_relay(&r, true);
	r.disk->blocks_reads = true;
	for (unsigned n = 0; n < OWED; n += OWED_ROUND)
		commit_hopeless(&r, n, OWED_ROUND);
	rig_wait(&r, 500);
	cr_assert_leq(r.disk->reads_asked, REPORTS_AT_ONCE);
	rig_kill(&r);
	r.disk->blocks_reads = false;
	rig_start(&r);
	r.disk->blocks_reads = true;
	r.disk->reads_asked = 0;
	rig_relay(&r, true);
	rig_until(&r, &r.running_asked, 2);
	rig_wait(&r, 500);
	cr_assert_geq(r.disk->reads_asked, 1);
	cr_assert_leq(r.disk->reads_asked, REPORTS_AT_ONCE, "%u at once", r.disk->reads_asked);
	r.disk->blocks_reads = false;
	for (unsigned i = 0; i < OWED; i++) {
		const struct rig_attempt *attempt = rig_attempt(&r, i);

		cr_assert_eq(attempt->kind, ENVELOPE_REPORT);
		rig_results(&r, attempt, 250, "none");
	}
	rig_until(&r, &r.stored, OWED);
	rig_admin(&r, "queue.list", rig_nothing);
	cr_assert_eq(r.row_count, 0);
	rig_end(&r);
}

/* P1: a message that cannot be read delays its own report, and no other. */
Test(reading, an_unreadable_message_delays_only_its_own_report, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, slow);
	rig_relay(&r, true);
	strcpy(r.disk->unreadable, "bad@example.com");
	cr_assert_eq(rig_commit(&r, rig_id(0), "bad@example.com",
			 (const char *const[]){"a@nx.example.org", NULL}).code, 250);
	rig_until(&r, &r.answers, 1);
	while (r.disk->reads_asked == 0)
		rig_wait(&r, 20);
	commit_hopeless(&r, 1, 10);
	for (unsigned i = 0; i < 10; i++) {
		cr_assert_str_eq(rig_attempt(&r, i)->to, "alice@example.com");
		rig_results(&r, &r.attempts[i], 250, "none");
	}
	rig_until(&r, &r.stored, 10);
	cr_assert_leq(r.disk->reads_asked, 10 + 10 + 2, "others were tried again");
	memset(r.disk->unreadable, 0, sizeof r.disk->unreadable);
	rig_attempt(&r, 10);
	cr_assert_str_eq(r.attempts[10].to, "bad@example.com");
	cr_assert(strstr(r.attempts[10].body, "Hello, world"), "with its content");
	rig_end(&r);
}

/* ---- reads by the queue itself ---- */

/* Other messages are accepted and delivered, and the operator gets answers. */
static void
others_go_on(struct rig *r)
{
	unsigned attempt = r->attempt_count, stored = r->stored;

	cr_assert_eq(rig_commit(r, rig_id(50), "bob@example.com",
			 (const char *const[]){"b@other.example", NULL}).code, 250);
	rig_results(r, rig_attempt(r, attempt), 250, "none");
	rig_until(r, &r->stored, stored + 1);
	rig_admin(r, "queue.list", rig_nothing);
	cr_assert_eq(r->row_count, 1);
}

static void
wait_blocked(struct rig *r)
{
	for (int i = 0; i < 1000 && !r->disk->reads_blocked; i++)
		rig_wait(r, 20);
	cr_assert_eq(r->disk->reads_blocked, 1);
}

static void
flip(const struct rig *r, const char *name, const char *words, ssize_t beyond)
{
	static char bytes[1 << 20];
	char path[128], *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "%s/%s", r->directory, name);
	fd = open(path, O_RDWR);
	n = pread(fd, bytes, sizeof bytes, 0);
	at = n > 0 ? memmem(bytes, (size_t)n, words, strlen(words)) : NULL;
	cr_assert_not_null(at);
	cr_assert_eq(pwrite(fd, "#", 1, at - bytes + beyond), 1);
	close(fd);
}

/* A record is damaged on the disk: a delivery finds it, and the next read of it is blocked. */
static void
begin_loss(struct rig *r)
{
	rig_begin(r, slow);
	cr_assert_eq(rig_commit(r, rig_id(1), "alice@example.com",
			 (const char *const[]){"marked@one.example", NULL}).code, 250);
	flip(r, "seg-00000001", "marked@one.example", 30);
	r->disk->reads_allowed = 2;
	strcpy(r->disk->stuck, "marked@one.example");
	rig_relay(r, true);
	wait_blocked(r);
}

/* Only that message waits. */
Test(reading, a_loss_while_the_disk_does_not_answer, .timeout = 60)
{
	static struct rig r;

	begin_loss(&r);
	others_go_on(&r);
	memset(r.disk->stuck, 0, sizeof r.disk->stuck);
	cr_assert_eq(rig_attempt(&r, 1)->kind, ENVELOPE_REPORT);
	rig_results(&r, &r.attempts[1], 250, "none");
	rig_until(&r, &r.stored, 2);
	rig_admin(&r, "queue.list", rig_nothing);
	cr_assert_eq(r.row_count, 0);
	rig_end(&r);
}

/* The operator deletes it while what is left is read: it is removed, and no report is sent. */
Test(reading, a_loss_of_a_message_that_is_deleted_meanwhile, .timeout = 60)
{
	static struct rig r;

	begin_loss(&r);
	rig_admin(&r, "queue.delete", rig_nothing);
	cr_assert_eq(r.row_count, 1);
	memset(r.disk->stuck, 0, sizeof r.disk->stuck);
	rig_wait(&r, 500);
	rig_admin(&r, "queue.list", rig_nothing);
	cr_assert_eq(r.row_count, 0);
	cr_assert_eq(r.attempt_count, 0);
	rig_end(&r);
}

/* A body that relay read wrong is read again: meanwhile everything else goes on, and a stop
 * succeeds once the read ends. */
Test(reading, a_body_check_while_the_disk_does_not_answer, .timeout = 60)
{
	struct message_spool_file m = {.session = rig_id(1).session, .number = 1};
	static char body[RIG_FD_BODY];
	static struct rig r;

	rig_begin(&r, "retry = [ \"1s\" ];");
	rig_relay(&r, true);
	memset(body, 'y', sizeof body);
	memcpy(body + sizeof body - 8, "marked\r\n", 8);
	rig_ask_file(&r, &m);
	cr_assert_eq(pwrite(r.fd, body, sizeof body, 0), (ssize_t)sizeof body);
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com",
			 (const char *const[]){"a@one.example", NULL}).code, 250);
	close(r.fd);
	r.fd = -1;
	rig_attempt(&r, 0);
	strcpy(r.disk->stuck, "marked");
	rig_results(&r, &r.attempts[0], 451, "damaged");
	wait_blocked(&r);
	/* it is tried again meanwhile, as usual */
	rig_results(&r, rig_attempt(&r, 1), 250, "none");
	rig_until(&r, &r.stored, 2);
	cr_assert_eq(rig_commit(&r, rig_id(2), "alice@example.com",
			 (const char *const[]){"a@two.example", NULL}).code, 250);
	rig_attempt(&r, 2);
	memset(r.disk->stuck, 0, sizeof r.disk->stuck);
	rig_results(&r, &r.attempts[2], 250, "none");
	rig_until(&r, &r.stored, 3);
	rig_end(&r);
}

/* `queue list` shows that a message cannot be read now, in place of the result of an earlier
 * attempt; a record that fails its checksum once is no error of the disk. */
Test(reading, the_list_shows_that_it_cannot_be_read, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, "retry = [ \"1s\" ];");
	rig_relay(&r, true);
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com",
			 (const char *const[]){"a@one.example", NULL}).code, 250);
	rig_attempt(&r, 0);
	strcpy(r.disk->unreadable, "alice@example.com");
	rig_results(&r, &r.attempts[0], 451, "connect");
	rig_wait(&r, 3000);
	rig_admin(&r, "queue.list", rig_nothing);
	cr_assert(str_eq(rig_row(&r, 0, "reason"), STR("unreadable")));
	cr_assert(str_eq(rig_row(&r, 0, "reply_by"), STR("here")));
	memset(r.disk->unreadable, 0, sizeof r.disk->unreadable);
	rig_results(&r, rig_attempt(&r, 1), 451, "connect");
	rig_admin(&r, "queue.list", rig_nothing);
	cr_assert(str_eq(rig_row(&r, 0, "reason"), STR("connect")));
	rig_end(&r);
}
