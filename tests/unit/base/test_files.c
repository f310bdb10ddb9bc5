/* fsio on the real disk, and log lines as they are written. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fsio.h"
#include "base/log.h"

static char directory[64];

static struct fsio *
new_io(void)
{
	return fsio_new(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static void
set_up(void)
{
	snprintf(directory, sizeof directory, "/tmp/test-base-XXXXXX");
	cr_assert_not_null(mkdtemp(directory));
}

static void
remove_one(const char *name, void *arg)
{
	struct fsio *io = arg;

	io->ops->unlink(io, name);
}

static void
tear_down(void)
{
	struct fsio *io = new_io();

	cr_expect_eq(io->ops->list(io, remove_one, io), 0);
	fsio_free(&io);
	cr_expect_eq(rmdir(directory), 0);
}

TestSuite(fsio, .init = set_up, .fini = tear_down);

Test(fsio, a_nameless_file_gets_a_name)
{
	struct fsio *io = new_io();
	struct iovec v[2] = {{"ab", 2}, {"cd", 2}};
	int fd = io->ops->open_nameless(io);
	off_t bytes = 0;
	char back[8];

	cr_assert_geq(fd, 0);
	cr_expect_eq(io->ops->pwritev(io, fd, v, 2, 1), 4);
	cr_expect_eq(io->ops->size(io, fd, &bytes), 0);
	cr_expect_eq(bytes, 5);
	cr_expect_eq(io->ops->sync_data(io, fd), 0);
	cr_expect_eq(io->ops->name(io, fd, "named"), 0);
	cr_expect_eq(io->ops->name(io, fd, "named"), -1);
	cr_expect_eq(errno, EEXIST);
	cr_expect_eq(io->ops->sync_directory(io), 0);
	io->ops->close(io, fd);
	fd = io->ops->open(io, "named", O_RDONLY);
	cr_expect_eq(io->ops->pread(io, fd, back, sizeof back, 1), 4);
	cr_expect_eq(memcmp(back, "abcd", 4), 0);
	io->ops->close(io, fd);
	fsio_free(&io);
}

Test(fsio, a_name_is_inspected_without_opening_it)
{
	struct fsio *io = new_io();
	int fd = io->ops->open(io, "f", O_RDWR | O_CREAT | O_EXCL);
	struct fsio_file file;
	char path[100];

	cr_expect_eq(io->ops->inspect(io, "f", &file), 0);
	cr_expect(file.is_plain && file.is_ours && file.is_private);
	cr_assert_eq(fchmod(fd, 0620), 0);
	cr_expect_eq(io->ops->inspect(io, "f", &file), 0);
	cr_expect_not(file.is_private);
	cr_assert_eq(fchmod(fd, 0600), 0);
	/* as a backup made of hard links does */
	cr_expect_eq(io->ops->name(io, fd, "second"), 0);
	cr_expect_eq(io->ops->inspect(io, "f", &file), 0);
	cr_expect(file.is_plain && file.is_ours && file.is_private);
	io->ops->close(io, fd);
	snprintf(path, sizeof path, "%s/pipe", directory);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_expect_eq(io->ops->inspect(io, "pipe", &file), 0);
	cr_expect_not(file.is_plain);
	cr_expect_eq(io->ops->inspect(io, "nothing", &file), -1);
	cr_expect_eq(errno, ENOENT);
	fsio_free(&io);
}

Test(fsio, a_link_is_not_followed)
{
	struct fsio *io = new_io();
	char path[100];

	snprintf(path, sizeof path, "%s/link", directory);
	cr_assert_eq(symlink("/etc/passwd", path), 0);
	cr_expect_eq(io->ops->open(io, "link", O_RDONLY), -1);
	cr_expect_eq(errno, ELOOP);
	fsio_free(&io);
}

Test(fsio, the_lock_ends_with_its_owner)
{
	struct fsio *a = new_io(), *b = new_io();

	cr_expect_eq(a->ops->lock(a, "lock"), 0);
	cr_expect_eq(b->ops->lock(b, "lock"), -1);
	cr_expect_eq(errno, EWOULDBLOCK);
	fsio_free(&a);
	cr_expect_eq(b->ops->lock(b, "lock"), 0);
	fsio_free(&b);
}

Test(log, remote_text_cannot_forge_a_line)
{
	struct log_line l;
	char text[LOG_LINE_BYTES + 1];
	int ends[2];
	ssize_t n;

	cr_assert_eq(pipe(ends), 0);
	log_open(ends[1], LOG_TO_STDERR);
	log_begin(&l, LOG_NOTICE, "event");
	log_str(&l, "a", STR("x\ny z"));
	log_quoted(&l, "b", STR("q\"\\\r\n\x01\xff"));
	log_addr(&l, "c", STR("u@d\n"));
	log_addr(&l, "d", STR("\"x> status=sent\"@d"));
	log_quoted(&l, "e", STR("\xc2\x9b\xe2\x80\xa8\xe2\x81\xa6 gr\xc3\xbcn"));
	log_quoted(&l, "f", STR("\xd8\x9c\xef\xbb\xbf\xf3\xa0\x81\x81\xf0\x9f\x98\x80"));
	log_end(&l);
	n = read(ends[0], text, sizeof text - 1);
	cr_assert_gt(n, 0);
	text[n] = 0;
	cr_expect_eq(strchr(text, '\n'), text + n - 1);
	cr_expect_not_null(
	    strstr(text, " a=x?y?z b=\"q\\\"\\\\\\x0D\\x0A\\x01\\xFF\" c=<u@d\\x0A> "), "%s", text);
	cr_expect_not_null(strstr(text, " d=<\\\"x\\x3E\\x20status=sent\\\"@d> "), "%s", text);
	cr_expect_not_null(strstr(text,
	    " e=\"\\xC2\\x9B\\xE2\\x80\\xA8\\xE2\\x81\\xA6 gr\xc3\xbcn\" "), "%s", text);
	cr_expect_not_null(strstr(text,
	    " f=\"\\xD8\\x9C\\xEF\\xBB\\xBF\\xF3\\xA0\\x81\\x81\xf0\x9f\x98\x80\"\n"), "%s", text);
	log_open(2, LOG_TO_STDERR);
	close(ends[0]);
}

Test(log, a_line_has_a_ceiling)
{
	static char large[3 * LOG_LINE_BYTES];
	struct log_line l;
	char text[2 * LOG_LINE_BYTES];
	int ends[2];
	ssize_t n;

	memset(large, 'x', sizeof large);
	cr_assert_eq(pipe(ends), 0);
	log_open(ends[1], LOG_TO_STDERR);
	log_begin(&l, LOG_NOTICE, "event");
	log_quoted(&l, "b", str_make(large, sizeof large));
	log_num(&l, "n", 1);
	log_end(&l);
	n = read(ends[0], text, sizeof text);
	cr_expect_eq(n, LOG_LINE_BYTES);
	cr_expect_eq(text[n - 1], '\n');
	log_open(2, LOG_TO_STDERR);
	close(ends[0]);
}

/* The output of log_forward for one packet. */
static const char *
forwarded(struct str packet, unsigned pid)
{
	static char text[4 * LOG_LINE_BYTES];
	struct log_batch lines = {0};
	ssize_t n;
	int ends[2];

	cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
	log_open(ends[1], LOG_TO_FILE);
	log_forward(&lines, packet, pid);
	log_batch_write(&lines);
	n = read(ends[0], text, sizeof text - 1);
	text[n > 0 ? n : 0] = 0;
	log_open(2, LOG_TO_STDERR);
	close(ends[0]);
	return text;
}

/* A line as a role sends it to main. */
static struct str
sent_to_main(const char *event)
{
	static char packet[2 * LOG_LINE_BYTES];
	struct log_line l;
	int ends[2];
	ssize_t n;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	log_open(ends[1], LOG_TO_MAIN);
	log_begin(&l, LOG_NOTICE, event);
	log_num(&l, "n", 7);
	log_end(&l);
	n = read(ends[0], packet, sizeof packet);
	log_open(2, LOG_TO_STDERR);
	close(ends[0]);
	cr_assert_gt(n, 0);
	return str_make(packet, (size_t)n);
}

Test(log, a_line_of_another_process_gets_its_pid_and_is_one_line)
{
	const char *text = forwarded(sent_to_main("event\n2026 sallyportd[1]: false"), 77);

	cr_expect_not_null(
	    strstr(text, " sallyportd[77]: event?2026 sallyportd[1]: false n=7\n"), "%s", text);
	cr_expect_eq(strchr(text, '\n'), text + strlen(text) - 1, "%s", text);
}

Test(log, an_impossible_time_is_replaced)
{
	static const int64_t times[] = {INT64_MAX, INT64_MIN, 0, -1};
	struct str packet = sent_to_main("event");
	char now[CLOCK_TEXT_BYTES];

	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		memcpy((char *)packet.p + 2, &times[i], sizeof times[i]);
		clock_iso(clock_ms(), now);
		cr_expect_eq(
		    strncmp(forwarded(packet, 77), now, 10), 0, "%s", forwarded(packet, 77));
	}
}

enum { BATCH_LINES = 1000, BATCH_LOST = 300 };

static void
forward_lines(struct log_batch *lines, struct str packet, int count)
{
	for (int i = 0; i < count; i++)
		log_forward(lines, packet, 77);
	log_batch_write(lines);
}

static size_t
count_lines(int fd, const char *text_wanted)
{
	static char text[1 << 20];
	ssize_t n = pread(fd, text, sizeof text - 1, 0);
	size_t count = 0;

	text[n > 0 ? n : 0] = 0;
	for (const char *at = text; (at = strstr(at, text_wanted)); at++)
		count++;
	return count;
}

/* Lines that do not fit into the file are counted, and the number is logged when there is room. */
Test(log, lines_written_at_once_are_all_there_or_counted)
{
	struct str packet = sent_to_main("event");
	int fd = open("/var/tmp", O_RDWR | O_TMPFILE | O_APPEND | O_CLOEXEC, 0600), look = dup(fd);
	struct rlimit before, small;
	struct log_batch lines = {0};
	struct stat st;

	cr_assert_geq(look, 0);
	log_open(fd, LOG_TO_FILE);
	forward_lines(&lines, packet, BATCH_LINES);
	cr_expect_eq(count_lines(look, " sallyportd[77]: event n=7\n"), BATCH_LINES);
	cr_assert_eq(fstat(look, &st), 0);
	getrlimit(RLIMIT_FSIZE, &before);
	small = (struct rlimit){(rlim_t)st.st_size, before.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	forward_lines(&lines, packet, BATCH_LOST);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	forward_lines(&lines, packet, 1);
	cr_expect_eq(count_lines(look, " sallyportd[77]: event n=7\n"), BATCH_LINES + 1);
	cr_expect_eq(count_lines(look, "log lost lines=300\n"), 1);
	log_open(2, LOG_TO_STDERR);
	close(look);
}

Test(log, what_a_library_writes_to_stderr_is_quoted)
{
	const char *text = forwarded(STR("one \"x\"\ntwo\r\n"), 77);

	cr_expect_not_null(
	    strstr(text, " sallyportd[77]: stderr text=\"one \\\"x\\\"\"\n"), "%s", text);
	cr_expect_not_null(strstr(text, " sallyportd[77]: stderr text=\"two\\x0D\"\n"), "%s", text);
	for (size_t n = 1; n < 10; n++)
		cr_expect_not_null(
		    strstr(forwarded(str_make("\x01\x01\x01\x01\x01\x01\x01\x01\x01", n), 77),
		        " sallyportd[77]: stderr text="),
		    "%zu", n);
}

Test(log, a_line_that_is_too_long_for_its_stamp_is_cut)
{
	static char large[3 * LOG_LINE_BYTES];
	const char *text;

	memset(large, 'x', sizeof large - 1);
	text = forwarded(sent_to_main(large), 77);
	cr_expect_eq(strlen(text), LOG_LINE_BYTES);
}

Test(log, lines_that_main_does_not_read_are_lost_and_counted)
{
	char packet[LOG_LINE_BYTES];
	int ends[2], lines = 0;
	ssize_t n, last = 0;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
	log_open(ends[1], LOG_TO_MAIN);
	for (int i = 0; i < 20000; i++)
		log_info("line %d", i);
	while ((n = read(ends[0], packet, sizeof packet)) > 0)
		lines++;
	cr_expect_lt(lines, 20000);
	log_info("the last one");
	n = read(ends[0], packet, sizeof packet - 1);
	cr_assert_gt(n, 10);
	packet[n] = 0;
	cr_expect_not_null(strstr(packet + 10, "log lost lines="), "%s", packet + 10);
	cr_expect_eq(
	    atoi(packet + 10 + strlen("log lost lines=")), 20000 - lines, "%s", packet + 10);
	last = read(ends[0], packet, sizeof packet);
	cr_expect_gt(last, 0);
	log_open(2, LOG_TO_STDERR);
	close(ends[0]);
}

Test(log, a_new_target_keeps_the_descriptor_number)
{
	int first[2], second[2];
	char text[LOG_LINE_BYTES];

	cr_assert_eq(pipe2(first, O_NONBLOCK) | pipe2(second, O_NONBLOCK), 0);
	log_open(first[1], LOG_TO_FILE);
	log_open(second[1], LOG_TO_FILE);
	cr_expect_eq(fcntl(second[1], F_GETFD), -1);
	log_info("here");
	cr_expect_gt(read(second[0], text, sizeof text), 0);
	cr_expect_eq(read(first[0], text, sizeof text), 0, "nobody writes there any more");
	log_open(2, LOG_TO_STDERR);
	close(first[0]);
	close(second[0]);
}
