/* watch_files: problems of a certificate are logged at the start, once a day, and when it is loaded
 * again. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "main/notices.h"
#include "main/notices_list.h"
#include "main/resources.h"
#include "main/resources_system.h"
#include "main/watch_files.h"
#include "rig.h"

enum { CHECK_MS = 2100, HOUR_MS = 60 * 60 * 1000 };

/* in the first year no certificate of the rig has expired, in the second each has */
static const int64_t year_2077_ms = 3379190400000, year_2127_ms = 4957113600000;
static struct rig r;
static char log_path[100];

static void
watch_set_up(void)
{
	struct resources_refusal refusal;

	rig_set_up(&r);
	rig_configure(&r, "listen: ( );");
	snprintf(log_path, sizeof log_path, "%s/log", r.directory);
	log_open(open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), LOG_TO_FILE);
	r.d.state_fd = open(r.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	watch_files_note_initial(&r.d);
	r.d.resources = resources_new(r.d.conf, NULL, 1, &refusal);
	cr_assert(r.d.resources, "%s", refusal.why);
}

static void
watch_tear_down(void)
{
	clock_fake(-1);
	watch_files_stop(&r.d);
	resources_free(&r.d.resources);
	close(r.d.state_fd);
	rig_tear_down(&r);
}

TestSuite(watch_files, .init = watch_set_up, .fini = watch_tear_down, .timeout = 60);

static unsigned
count_logged(const char *words)
{
	static char text[65536];
	int fd = open(log_path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof text - 1);
	unsigned count = 0;

	close(fd);
	cr_assert(n >= 0);
	text[n] = '\0';
	for (const char *at = text; (at = strstr(at, words)); at++)
		count++;
	return count;
}

Test(watch_files, an_expired_certificate_is_logged_once_a_day)
{
	static const char words[] = "sallyport.cfg:2: tls.certificate: ";

	watch_files_start(&r.d);
	cr_expect_eq(count_logged(words), 0, "nothing is wrong in these years");
	watch_files_stop(&r.d);
	clock_fake(year_2127_ms);
	watch_files_start(&r.d);
	cr_expect_eq(count_logged(words), 1);
	cr_expect_eq(count_logged("expired on 2126-"), 1);
	clock_fake(year_2127_ms + 23 * HOUR_MS);
	rig_run(&r, CHECK_MS);
	cr_expect_eq(count_logged(words), 1, "the same day");
	clock_fake(year_2127_ms + 24 * HOUR_MS);
	rig_run(&r, CHECK_MS);
	cr_expect_eq(count_logged(words), 2, "a day later");
	rig_run(&r, CHECK_MS);
	cr_expect_eq(count_logged(words), 2);
	watch_files_certificates_changed(&r.d);
	rig_run(&r, CHECK_MS);
	cr_expect_eq(count_logged(words), 3, "after a reload");
}

static void
open_with_resolv_conf(const char *path)
{
	struct resources_refusal refusal;

	r.d.stage = -1;
	r.d.conf->dns.resolv_conf = str_of(path);
	resources_free(&r.d.resources);
	r.d.resources = resources_new(r.d.conf, NULL, 1, &refusal);
	cr_assert(r.d.resources, "%s", refusal.why);
}

static const struct resources_file *
file_at(const char *path)
{
	const struct resources *o = r.d.resources;
	size_t n = 0;

	while (n < o->file_count && !str_eq(o->files[n].path, str_of(path)))
		n++;
	cr_assert_lt(n, o->file_count);
	return &o->files[n];
}

/* From now on this process gets no more descriptors; returns the former limit. */
static struct rlimit
no_more_descriptors(void)
{
	int free_fd = dup(STDIN_FILENO);
	struct rlimit before, few;

	cr_assert_geq(free_fd, 0);
	close(free_fd);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){(rlim_t)free_fd, before.rlim_max};
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	return before;
}

/* Checks until the words were logged `count` times; returns how many times they were. */
static unsigned
check_until(const char *words, unsigned count)
{
	for (int checks = 0; checks < 10 && count_logged(words) < count; checks++)
		rig_run(&r, CHECK_MS);
	return count_logged(words);
}

/* It is read when the resources are opened, and checked from a moment later on: the first check
 * reads it again. */
Test(watch_files, a_file_that_changes_during_the_start_is_loaded)
{
	char path[100];

	snprintf(path, sizeof path, "%s/resolv.conf", r.directory);
	open_with_resolv_conf(path);
	cr_assert_lt(file_at(path)->fd, 0);
	rig_write(path, "nameserver 192.0.2.1\n");
	watch_files_start(&r.d);
	rig_run(&r, CHECK_MS);
	cr_expect_geq(file_at(path)->fd, 0);
	cr_expect_eq(count_logged("resolv.conf changed: loading it"), 1);
	unlink(path);
}

/* A lack of descriptors is not the fault of the file: it is read again, once a minute. */
Test(watch_files, a_file_for_which_there_was_no_descriptor_is_loaded_later)
{
	static const char postponed_text[] =
	    "resolv.conf cannot be read now (Too many open files: raise the limit (LimitNOFILE= in "
	    "the unit, \"ulimit -Hn\" in a shell) or lower limits.sessions and "
	    "queue.concurrency): what was read before is used";
	char path[100], text[RESOURCES_SYSTEM_TEXT_BYTES];
	struct rlimit before;

	clock_fake(year_2077_ms);
	snprintf(path, sizeof path, "%s/resolv.conf", r.directory);
	rig_write(path, "nameserver 192.0.2.1\n");
	open_with_resolv_conf(path);
	watch_files_start(&r.d);
	rig_run(&r, 2 * CHECK_MS);
	rig_write(path, "nameserver 192.0.2.27\n");
	before = no_more_descriptors();
	rig_run(&r, 4 * CHECK_MS);
	cr_expect(
	    strstr(resources_system_trouble(r.d.resources, text), postponed_text), "%s", text);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	rig_run(&r, 3 * CHECK_MS);
	cr_expect_eq(count_logged("resolv.conf changed: loading it"), 0, "within the minute");
	cr_expect_eq(count_logged(postponed_text), 1, "once");
	clock_fake(year_2077_ms + 61 * 1000);
	cr_expect_eq(check_until("resolv.conf changed: loading it", 1), 1);
	cr_expect_str_eq(resources_system_trouble(r.d.resources, text), "");
	unlink(path);
}

/* It changed and changed back meanwhile, so that only the reported problem shows that it was not
 * read. */
Test(watch_files, a_file_unchanged_after_a_lack_of_descriptors)
{
	char path[100], former[100], text[RESOURCES_SYSTEM_TEXT_BYTES];
	struct rlimit before;

	clock_fake(year_2127_ms);
	snprintf(path, sizeof path, "%s/resolv.conf", r.directory);
	snprintf(former, sizeof former, "%s/kept", r.directory);
	rig_write(path, "nameserver 192.0.2.1\n");
	open_with_resolv_conf(path);
	watch_files_start(&r.d);
	rig_run(&r, 2 * CHECK_MS);
	cr_assert_eq(rename(path, former), 0);
	rig_write(path, "nameserver 192.0.2.27\n");
	before = no_more_descriptors();
	rig_run(&r, 3 * CHECK_MS);
	cr_assert_eq(rename(former, path), 0);
	rig_run(&r, CHECK_MS);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	clock_fake(year_2127_ms + 61 * 1000);
	cr_expect_eq(check_until("resolv.conf can be read again: it is the same", 1), 1);
	cr_expect_str_eq(resources_system_trouble(r.d.resources, text), "");
	unlink(path);
}

static void
expect_servers(const char *path, const char *wanted)
{
	char text[100] = "";

	cr_assert(pread(file_at(path)->fd, text, sizeof text - 1, 0) >= 0);
	cr_expect_str_eq(text, wanted);
}

/* The file does not change, but its copy for relay does. */
Test(watch_files, an_interface_that_appears_and_gets_another_number)
{
	char path[100];

	snprintf(path, sizeof path, "%s/resolv.conf", r.directory);
	rig_write(path, "nameserver fe80::1%link0\n");
	rig_link_error = ENODEV;
	open_with_resolv_conf(path);
	watch_files_start(&r.d);
	rig_run(&r, 2 * CHECK_MS);
	expect_servers(path, "nameserver fe80::1%link0\n");
	rig_link_error = 0;
	rig_link_index = 7;
	cr_expect_eq(check_until("resolv.conf changed: loading it", 1), 1);
	expect_servers(path, "nameserver fe80::1%7\n");
	/* the interface cannot be asked: that is no change, and the file is not read again */
	rig_link_error = EMFILE;
	rig_run(&r, 3 * CHECK_MS);
	expect_servers(path, "nameserver fe80::1%7\n");
	cr_expect_eq(count_logged("cannot be read now"), 0);
	rig_link_error = 0;
	rig_link_index = 9;
	cr_expect_eq(check_until("resolv.conf changed: loading it", 2), 2);
	expect_servers(path, "nameserver fe80::1%9\n");
	rig_link_error = ENODEV;
	cr_expect_eq(check_until("resolv.conf changed: loading it", 3), 3);
	expect_servers(path, "nameserver fe80::1%link0\n");
	unlink(path);
}

/* Renewed after the daemon has read the files, and before it first checks their times. */
Test(watch_files, a_certificate_that_is_renewed_during_the_start_is_loaded)
{
	char path[200];

	snprintf(path, sizeof path, "%s/tls.key", r.directory);
	rig_write(path, rig_keys[1]);
	snprintf(path, sizeof path, "%s/tls.crt", r.directory);
	rig_write(path, rig_certificates[1]);
	watch_files_start(&r.d);
	rig_run(&r, 3 * CHECK_MS);
	cr_expect_eq(count_logged("certificate files changed: loading them"), 1);
	cr_expect_eq(count_logged("tls.crt is served: "), 1);
}

/* Its content and its times are the same: what was wrong is who may read it. */
Test(watch_files, a_key_is_tried_again_when_only_its_mode_or_group_has_changed)
{
	static const struct {
		mode_t mode;
		gid_t group;
	} rows[] = {{0640, (gid_t)-1}, {0640, 1}};
	char path[200];

	watch_files_start(&r.d);
	snprintf(path, sizeof path, "%s/tls.key", r.directory);
	rig_run(&r, 2 * CHECK_MS);
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (rows[i].group != (gid_t)-1 && geteuid())
			continue;
		cr_assert_eq(chmod(path, rows[i].mode), 0);
		cr_assert_eq(chown(path, (uid_t)-1, rows[i].group), 0);
		cr_expect_eq(check_until("certificate files changed: loading them", i + 1), i + 1);
	}
}

/* The last word of the log about a refusal is what is served. */
Test(watch_files, the_end_of_a_refusal_is_logged)
{
	char path[200], moved[200];

	watch_files_start(&r.d);
	snprintf(path, sizeof path, "%s/tls.crt", r.directory);
	snprintf(moved, sizeof moved, "%s/tls.moved", r.directory);
	rig_run(&r, 2 * CHECK_MS);
	cr_assert_eq(rename(path, moved), 0);
	cr_assert_eq(check_until("and the former ones stay: ", 1), 1);
	cr_assert_eq(count_logged("tls.crt is served: "), 0);
	cr_assert_eq(rename(moved, path), 0);
	cr_expect_eq(check_until("tls.crt is served: ", 1), 1);
	cr_expect_eq(count_logged("mail.example.com, until 2126-"), 1);
}

Test(watch_files, unusable_files_are_logged_once_a_day_until_they_are_corrected)
{
	static const char first[] = "and the former ones stay: ", later[] = "ones stay since 2127-";
	struct watch_files_refusal refusal;
	char path[120];

	clock_fake(year_2127_ms);
	watch_files_start(&r.d);
	cr_expect_not(watch_files_is_refused(&r.d, 0, &refusal));
	snprintf(path, sizeof path, "%s/tls.key", r.directory);
	rig_write(path, rig_keys[1]);
	for (int checks = 0; checks < 10 && count_logged(first) == 0; checks++)
		rig_run(&r, CHECK_MS);
	cr_assert_eq(count_logged(first), 1);
	cr_assert(watch_files_is_refused(&r.d, 0, &refusal));
	cr_expect_eq(refusal.since_ms, year_2127_ms);
	cr_expect(
	    strstr(refusal.why, "tls.key: is not the key of the certificate"), "%s", refusal.why);
	clock_fake(year_2127_ms + 23 * HOUR_MS);
	rig_run(&r, CHECK_MS);
	cr_expect_eq(count_logged(later), 0, "the same day");
	clock_fake(year_2127_ms + 24 * HOUR_MS);
	rig_run(&r, CHECK_MS);
	cr_expect_eq(count_logged(later), 1, "a day later");
	cr_expect_eq(count_logged(first), 1);
	watch_files_certificates_changed(&r.d);
	cr_expect_not(watch_files_is_refused(&r.d, 0, &refusal), "a reload loads them again");
}

static unsigned
pending(void)
{
	struct buf values;
	uint64_t n = 0;

	buf_init(&values, 4096);
	cr_assert(notices_status(&r.d, &values));
	cr_assert(str_u64(message_values_get(buf_str(&values), "pending"), &n));
	buf_clear(&values);
	return (unsigned)n;
}

/* The expiry of a certificate was reported on the same day; and the refusal is reported again a day
 * later. */
Test(watch_files, a_refused_renewal_is_mailed_besides_other_problems)
{
	struct message_status stored = {.status = smtp_status_make(250, "2.0.0", "stored")};
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0);
	char path[120];

	clock_fake(year_2127_ms);
	notices_start(&r.d);
	watch_files_start(&r.d);
	cr_assert_eq(pending(), 1, "it has expired");
	snprintf(path, sizeof path, "%s/tls.key", r.directory);
	rig_write(path, rig_keys[1]);
	for (int checks = 0; checks < 10 && pending() == 1; checks++)
		rig_run(&r, CHECK_MS);
	cr_assert_eq(pending(), 2);
	clock_fake(year_2127_ms + 60 * 1000);
	for (int i = 0; i < 2; i++) {
		notices_check_all(&r.d);
		rig_run(&r, 0);
		cr_assert_eq(queue->notices, (unsigned)i + 1);
		cr_assert_eq(
		    channel_answer(queue->channel, queue->notice_call, MESSAGE_STATUS, &stored, -1),
		    0);
		rig_run(&r, 0);
	}
	cr_assert_eq(pending(), 0);
	cr_expect(strstr(queue->notice_text, "the former ones stayed: "), "%s", queue->notice_text);
	clock_fake(year_2127_ms + 24 * HOUR_MS);
	rig_run(&r, CHECK_MS);
	cr_expect_eq(pending(), 2, "both once more");
	notices_stop(&r.d);
}

/* Stores the mail that is due now; the queue has got so many requests before. */
static const char *
store_due_mail(struct rig_role *queue, unsigned before)
{
	struct message_status stored = {.status = smtp_status_make(250, "2.0.0", "stored")};

	notices_check_all(&r.d);
	rig_run(&r, 0);
	cr_assert_eq(queue->notices, before + 1);
	cr_assert_eq(
	    channel_answer(queue->channel, queue->notice_call, MESSAGE_STATUS, &stored, -1), 0);
	rig_run(&r, 0);
	return queue->notice_text;
}

/* The last notice is about files of which that one comes first, and one more. */
static void
expect_sent_object(const char *head, const char *path)
{
	char object[NOTICES_OBJECT_BYTES], tail[200];
	struct buf values;

	buf_init(&values, 4096);
	cr_assert(notices_status(&r.d, &values));
	snprintf(object, sizeof object, "%.*s",
	    STR_ARG(message_values_get(buf_str(&values), "object")));
	snprintf(tail, sizeof tail, ") of %s and 1 more", path);
	cr_expect(str_starts(str_of(object), str_of(head)), "%s", object);
	cr_expect(strstr(object, tail), "%s", object);
	buf_clear(&values);
}

/* One mail, and `sallyport status`, report each with its own fault. */
Test(watch_files, each_of_several_refused_certificates_is_named)
{
	static const char first[] = "and the former ones stay: ";
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0);
	char extra[800], path[3][120];
	struct watch_files_refusal refusal;
	const char *text;

	snprintf(path[0], sizeof path[0], "%s/tls.crt", r.directory);
	snprintf(path[1], sizeof path[1], "%s/two.crt", r.directory);
	snprintf(path[2], sizeof path[2], "%s/tls.key", r.directory);
	rig_write(path[1], rig_certificates[0]);
	snprintf(extra, sizeof extra,
	    "listen: ( );\ntls: ( { certificate = \"%s\"; private_key = \"%s\"; },\n"
	    " { certificate = \"%s\"; private_key = \"%s\"; } );",
	    path[0], path[2], path[1], path[2]);
	resources_free(&r.d.resources);
	rig_configure_tls(&r, extra);
	open_with_resolv_conf("/dev/null");
	watch_files_note_initial(&r.d);
	clock_fake(year_2077_ms);
	notices_start(&r.d);
	watch_files_start(&r.d);
	cr_assert_eq(pending(), 0);
	rig_write(path[0], "nothing\n");
	rig_write(path[1], "nothing\n");
	cr_assert_eq(check_until(first, 1), 1);
	cr_expect_eq(pending(), 1);
	clock_fake(year_2077_ms + 60 * 1000);
	text = store_due_mail(queue, 0);
	for (size_t i = 0; i < 2; i++) {
		cr_expect(strstr(text, path[i]), "%s is missing: %s", path[i], text);
		cr_assert(watch_files_is_refused(&r.d, i, &refusal));
		cr_expect(strstr(refusal.why, path[i]), "%s: %s", path[i], refusal.why);
	}
	cr_expect_eq(pending(), 0);
	expect_sent_object("changed files (", path[0]);
	/* one of them is good again: this is another refusal, about the other one */
	rig_write(path[0], rig_certificates[0]);
	cr_assert_eq(check_until(first, 2), 2);
	cr_expect_not(watch_files_is_refused(&r.d, 0, &refusal));
	clock_fake(year_2077_ms + 2 * 60 * 1000);
	text = store_due_mail(queue, 1);
	cr_expect(strstr(text, path[1]) && !strstr(text, path[0]), "%s", text);
	notices_stop(&r.d);
}

/* First there is no descriptor to read them; then they are read, and do not match each other. */
Test(watch_files, another_reason_for_the_refusal_is_reported_too)
{
	static const char first[] = "and the former ones stay: ",
	                  wrong[] = "is not the key of the certificate";
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0);
	int64_t now_ms = year_2077_ms;
	struct rlimit before;
	char path[120];

	snprintf(path, sizeof path, "%s/tls.key", r.directory);
	clock_fake(now_ms);
	notices_start(&r.d);
	watch_files_start(&r.d);
	rig_run(&r, 2 * CHECK_MS);
	rig_write(path, rig_keys[1]);
	before = no_more_descriptors();
	rig_run(&r, 4 * CHECK_MS);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	cr_assert_eq(count_logged(first), 1);
	clock_fake(now_ms += 30 * 1000);
	cr_expect(
	    strstr(store_due_mail(queue, 0), "Too many open files"), "%s", queue->notice_text);
	clock_fake(now_ms += 60 * 1000);
	cr_assert_eq(check_until(first, 2), 2);
	cr_expect_eq(count_logged(wrong), 1);
	clock_fake(now_ms += 60 * 1000);
	cr_expect(strstr(store_due_mail(queue, 1), wrong), "%s", queue->notice_text);
	clock_fake(now_ms += 60 * 1000);
	rig_run(&r, 2 * CHECK_MS);
	cr_expect_eq(count_logged(first), 2, "the same once");
	notices_stop(&r.d);
}
