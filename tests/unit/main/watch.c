/* watch: what is wrong with a certificate is logged at the start, once a day, and when it is loaded anew. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "main/notices.h"
#include "main/offer.h"
#include "main/watch.h"
#include "rig.h"

enum { LOOK_MS = 2100, HOUR_MS = 60 * 60 * 1000 };

static const int64_t year_2127_ms = 4957113600000;
static struct rig r;
static char log_path[100];

static void
watch_set_up(void)
{
	struct offer_refusal refusal;

	rig_set_up(&r);
	rig_configure(&r, "listen: ( );");
	snprintf(log_path, sizeof log_path, "%s/log", r.directory);
	log_open(open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), LOG_TO_FILE);
	watch_note_files(&r.d);
	r.d.offer = offer_new(r.d.conf, NULL, 1, &refusal);
	cr_assert(r.d.offer, "%s", refusal.why);
}

static void
watch_tear_down(void)
{
	clock_fake(-1);
	watch_stop(&r.d);
	offer_free(&r.d.offer);
	rig_tear_down(&r);
}

TestSuite(watch, .init = watch_set_up, .fini = watch_tear_down, .timeout = 60);

static unsigned
told(const char *words)
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

Test(watch, an_expired_certificate_is_told_once_a_day)
{
	static const char words[] = "sallyport.cfg:2: tls.certificate: ";

	watch_start(&r.d);
	cr_expect_eq(told(words), 0, "nothing is wrong in these years");
	watch_stop(&r.d);
	clock_fake(year_2127_ms);
	watch_start(&r.d);
	cr_expect_eq(told(words), 1);
	cr_expect_eq(told("expired on 2126-"), 1);
	clock_fake(year_2127_ms + 23 * HOUR_MS);
	rig_run(&r, LOOK_MS);
	cr_expect_eq(told(words), 1, "the same day");
	clock_fake(year_2127_ms + 24 * HOUR_MS);
	rig_run(&r, LOOK_MS);
	cr_expect_eq(told(words), 2, "a day later");
	rig_run(&r, LOOK_MS);
	cr_expect_eq(told(words), 2);
	watch_certificates_changed(&r.d);
	rig_run(&r, LOOK_MS);
	cr_expect_eq(told(words), 3, "after a reload");
}

/* It is read when the offer is made, and looked at from a moment later on: the first look reads it
 * again. */
Test(watch, a_file_that_changes_while_the_daemon_starts)
{
	struct offer_refusal refusal;
	char path[100];
	size_t n = 0;

	snprintf(path, sizeof path, "%s/resolv.conf", r.directory);
	r.d.stage = -1;
	r.d.conf->dns.resolv_conf = str_of(path);
	offer_free(&r.d.offer);
	r.d.offer = offer_new(r.d.conf, NULL, 1, &refusal);
	cr_assert(r.d.offer, "%s", refusal.why);
	while (n < r.d.offer->file_count && !str_eq(r.d.offer->files[n].path, str_of(path)))
		n++;
	cr_assert_lt(n, r.d.offer->file_count);
	cr_assert_lt(r.d.offer->files[n].fd, 0);
	rig_write(path, "nameserver 192.0.2.1\n");
	watch_start(&r.d);
	rig_run(&r, LOOK_MS);
	cr_expect_geq(r.d.offer->files[n].fd, 0);
	cr_expect_eq(told("resolv.conf changed: loading it"), 1);
	unlink(path);
}

/* That there is no descriptor for it is not the file's fault: the next look tries again. */
Test(watch, a_file_for_which_there_was_no_descriptor_is_loaded_later)
{
	struct offer_refusal refusal;
	struct rlimit before, few;
	char path[100];
	int free_fd;

	snprintf(path, sizeof path, "%s/resolv.conf", r.directory);
	rig_write(path, "nameserver 192.0.2.1\n");
	r.d.stage = -1;
	r.d.conf->dns.resolv_conf = str_of(path);
	offer_free(&r.d.offer);
	r.d.offer = offer_new(r.d.conf, NULL, 1, &refusal);
	cr_assert(r.d.offer, "%s", refusal.why);
	watch_start(&r.d);
	rig_run(&r, 2 * LOOK_MS);
	rig_write(path, "nameserver 192.0.2.27\n");
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	free_fd = dup(STDIN_FILENO);
	cr_assert_geq(free_fd, 0);
	close(free_fd);
	few = (struct rlimit){(rlim_t)free_fd, before.rlim_max};
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	rig_run(&r, 3 * LOOK_MS);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	cr_expect_eq(told("resolv.conf changed: loading it"), 0);
	for (int looks = 0; looks < 10 && told("resolv.conf changed: loading it") == 0; looks++)
		rig_run(&r, LOOK_MS);
	cr_expect_eq(told("resolv.conf changed: loading it"), 1);
	unlink(path);
}

/* Renewed after the daemon has read the files, and before its first look at their dates. */
Test(watch, a_certificate_that_is_renewed_during_the_start_is_loaded)
{
	char path[200];

	snprintf(path, sizeof path, "%s/tls.key", r.directory);
	rig_write(path, rig_keys[1]);
	snprintf(path, sizeof path, "%s/tls.crt", r.directory);
	rig_write(path, rig_certificates[1]);
	watch_start(&r.d);
	rig_run(&r, 3 * LOOK_MS);
	cr_expect_eq(told("certificate files changed: loading them"), 1);
}

Test(watch, files_that_cannot_be_used_are_told_once_a_day_until_they_are_mended)
{
	static const char first[] = "and the former ones stay: ", later[] = "ones stay since 2127-";
	struct watch_refusal refusal;
	char path[120];

	clock_fake(year_2127_ms);
	watch_start(&r.d);
	cr_expect_not(watch_is_refused(&r.d, 0, &refusal));
	snprintf(path, sizeof path, "%s/tls.key", r.directory);
	rig_write(path, rig_keys[1]);
	for (int looks = 0; looks < 10 && told(first) == 0; looks++)
		rig_run(&r, LOOK_MS);
	cr_assert_eq(told(first), 1);
	cr_assert(watch_is_refused(&r.d, 0, &refusal));
	cr_expect_eq(refusal.since_ms, year_2127_ms);
	cr_expect(strstr(refusal.why, "tls.key: is not the key of the certificate"), "%s", refusal.why);
	clock_fake(year_2127_ms + 23 * HOUR_MS);
	rig_run(&r, LOOK_MS);
	cr_expect_eq(told(later), 0, "the same day");
	clock_fake(year_2127_ms + 24 * HOUR_MS);
	rig_run(&r, LOOK_MS);
	cr_expect_eq(told(later), 1, "a day later");
	cr_expect_eq(told(first), 1);
	watch_certificates_changed(&r.d);
	cr_expect_not(watch_is_refused(&r.d, 0, &refusal), "a reload loads them anew");
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

/* That a certificate expires was told of on the same day; and the day after the refusal is told again. */
Test(watch, a_refused_renewal_is_mailed_beside_what_else_is_wrong)
{
	struct message_verdict stored = {.status = status_make(250, "2.0.0", "stored")};
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0);
	char path[120];

	r.d.state_fd = open(r.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	clock_fake(year_2127_ms);
	notices_start(&r.d);
	watch_start(&r.d);
	cr_assert_eq(pending(), 1, "it has expired");
	snprintf(path, sizeof path, "%s/tls.key", r.directory);
	rig_write(path, rig_keys[1]);
	for (int looks = 0; looks < 10 && pending() == 1; looks++)
		rig_run(&r, LOOK_MS);
	cr_assert_eq(pending(), 2);
	clock_fake(year_2127_ms + 60 * 1000);
	for (int i = 0; i < 2; i++) {
		notices_look(&r.d);
		rig_run(&r, 0);
		cr_assert_eq(queue->notices, (unsigned)i + 1);
		cr_assert_eq(channel_answer(queue->channel, queue->notice_call, MESSAGE_VERDICT, &stored, -1), 0);
		rig_run(&r, 0);
	}
	cr_assert_eq(pending(), 0);
	cr_expect(strstr(queue->notice_text, "the former ones stay: "), "%s", queue->notice_text);
	clock_fake(year_2127_ms + 24 * HOUR_MS);
	rig_run(&r, LOOK_MS);
	cr_expect_eq(pending(), 2, "both once more");
	notices_stop(&r.d);
	close(r.d.state_fd);
}
