/* directory: what main opens for the roles, and what it refuses, as root and as any other user. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "main/directory.h"

enum { OTHER_UID = 12345, ROLE = 1 };

static char base[64];

static void
directory_set_up(void)
{
	umask(077);
	snprintf(base, sizeof base, "/var/tmp/sallyport-directory-XXXXXX");
	cr_assert(mkdtemp(base));
	cr_assert_eq(chmod(base, 0755), 0);
	log_open(open("/dev/null", O_WRONLY), LOG_TO_FILE);
}

static void
directory_tear_down(void)
{
	char command[100];

	snprintf(command, sizeof command, "rm -rf %s", base);
	cr_assert_eq(system(command), 0);
}

static struct str
directory_path(const char *name)
{
	static char path[4][300];
	static unsigned n;
	char *p = path[n++ % 4];

	snprintf(p, sizeof path[0], "%s/%s", base, name);
	return str_of(p);
}

static struct os_user
directory_role(void)
{
	struct os_user i = {
	    .uid = geteuid() ? geteuid() : ROLE, .gid = geteuid() ? getegid() : ROLE};

	snprintf(i.name, sizeof i.name, "role");
	return i;
}

static int
directory_try(struct str path, int *status)
{
	static struct os_user role;
	struct directory_spec spec = {.key = "test", .path = path, .owner = &role};

	role = directory_role();
	*status = 0;
	return directory_open(&spec, status);
}

TestSuite(directory, .init = directory_set_up, .fini = directory_tear_down);

Test(directory, a_missing_one_is_created_for_its_owner)
{
	struct stat st;
	int status, fd = directory_try(directory_path("a/b/spool"), &status);

	cr_assert(fd >= 0, "%d", status);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_expect_eq(st.st_uid, directory_role().uid);
	cr_expect_eq(st.st_mode & 07777, 0700);
	cr_assert_eq(stat(directory_path("a/b").p, &st), 0);
	cr_expect_eq(st.st_uid, geteuid(), "parents stay root's");
	cr_expect_eq(st.st_mode & 07777, 0755);
	close(fd);
	fd = directory_try(directory_path("a//b/./spool/"), &status);
	cr_expect(fd >= 0, "again, written otherwise");
}

Test(directory, one_of_another_owner_is_refused)
{
	int status;

	if (geteuid() != 0)
		cr_skip_test("needs root");
	cr_assert_eq(mkdir(directory_path("spool").p, 0700), 0);
	cr_assert_eq(chown(directory_path("spool").p, OTHER_UID, OTHER_UID), 0);
	cr_expect_eq(directory_try(directory_path("spool"), &status), -1);
	cr_expect_eq(status, EXIT_NOT_ALLOWED);
}

/* A file of another user is refused, but not a directory: lost+found belongs to root. */
Test(directory, one_with_a_file_of_another_user_is_refused)
{
	int status, fd = directory_try(directory_path("spool"), &status);
	struct stat st;

	if (geteuid() != 0)
		cr_skip_test("needs root");
	cr_assert_eq(mkdirat(fd, "lost+found", 0700), 0);
	close(fd);
	fd = directory_try(directory_path("spool"), &status);
	cr_assert(fd >= 0);
	close(openat(fd, "seg-00000001", O_CREAT | O_WRONLY, 0600));
	cr_expect_eq(directory_try(directory_path("spool"), &status), -1);
	cr_expect_eq(status, EXIT_NOT_ALLOWED);
	cr_assert_eq(fstatat(fd, "seg-00000001", &st, 0), 0);
	cr_expect_eq(st.st_uid, 0, "the owner stays");
}

Test(directory, refused_below_a_directory_that_others_can_write)
{
	static const struct {
		uid_t uid;
		mode_t mode;
		bool good;
	} rows[] = {{0, 0755, true}, {0, 01777, true}, {0, 0777, false}, {0, 0775, false},
	    {OTHER_UID, 0755, false}, {OTHER_UID, 0700, false}};

	if (geteuid() != 0)
		cr_skip_test("needs root");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char name[20], below[40];
		int status, fd;

		snprintf(name, sizeof name, "p%zu", i);
		snprintf(below, sizeof below, "p%zu/spool", i);
		cr_assert_eq(mkdir(directory_path(name).p, 0700), 0);
		cr_assert_eq(chown(directory_path(name).p, rows[i].uid, 5), 0);
		cr_assert_eq(chmod(directory_path(name).p, rows[i].mode), 0);
		fd = directory_try(directory_path(below), &status);
		cr_expect_eq(fd >= 0, rows[i].good, "row %zu", i);
	}
}

Test(directory, links)
{
	int status;

	cr_assert_eq(mkdir(directory_path("disk").p, 0755), 0);
	cr_assert_eq(symlink("disk", directory_path("relative").p), 0);
	cr_assert_eq(symlink(directory_path("disk").p, directory_path("absolute").p), 0);
	cr_assert_eq(symlink("loop", directory_path("loop").p), 0);
	cr_expect(directory_try(directory_path("relative/spool"), &status) >= 0);
	cr_expect(directory_try(directory_path("absolute/other"), &status) >= 0);
	cr_expect_eq(directory_try(directory_path("loop/spool"), &status), -1);
	cr_expect_eq(status, EXIT_IO);
	if (geteuid() != 0)
		return;
	cr_assert_eq(chmod(base, 01777), 0);
	cr_assert_eq(symlink("/etc", directory_path("planted").p), 0);
	cr_assert_eq(lchown(directory_path("planted").p, OTHER_UID, OTHER_UID), 0);
	cr_expect_eq(directory_try(directory_path("planted/spool"), &status), -1);
	cr_expect_eq(status, EXIT_NOT_ALLOWED);
}

Test(directory, a_file_in_its_place_is_refused)
{
	int status;

	close(open(directory_path("file").p, O_CREAT | O_WRONLY, 0600));
	cr_expect_eq(directory_try(directory_path("file"), &status), -1);
	cr_expect_eq(status, EXIT_IO);
	cr_expect_eq(directory_try(directory_path("file/spool"), &status), -1);
	cr_expect_eq(status, EXIT_IO);
}

/* ---- the run directory and its socket ---- */

static int
directory_run(int *status)
{
	static struct os_user role;
	struct directory_spec spec = {.key = "run", .path = directory_path("run"), .owner = &role};
	int fd, socket_fd;

	role = directory_role();
	*status = 0;
	fd = directory_open_run(&spec, status);
	if (fd < 0)
		return -1;
	socket_fd = directory_open_socket(fd, &spec, status);
	close(fd);
	return socket_fd;
}

static void
directory_is_reachable(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct stat st;

	snprintf(to.sun_path, sizeof to.sun_path, "%s/run/control.sock", base);
	cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	cr_assert_eq(lstat(to.sun_path, &st), 0);
	cr_expect_eq(st.st_uid, directory_role().uid);
	cr_expect_eq(st.st_mode & 0777, 0600);
	close(fd);
}

Test(directory, the_socket_is_created_again_at_each_start)
{
	struct stat st;
	int status;

	for (int i = 0; i < 2; i++) {
		cr_assert(directory_run(&status) >= 0, "%d", status);
		directory_is_reachable();
	}
	cr_assert_eq(stat(directory_path("run").p, &st), 0);
	cr_expect_eq(st.st_uid, geteuid());
	cr_expect_eq(st.st_mode & 0777, geteuid() ? 0700 : 0755);
}

/* A second daemon is refused as long as the first one has the lock; a file that main did not create
 * is not locked. */
Test(directory, one_daemon_has_the_run_directory)
{
	static struct os_user role;
	struct directory_spec spec = {.key = "run", .path = directory_path("run"), .owner = &role};
	int status = 0, run, first;

	role = directory_role();
	run = directory_open_run(&spec, &status);
	first = directory_lock(run, &spec, &status);
	cr_assert(first >= 0, "%d", status);
	cr_expect(directory_has_daemon(run));
	cr_expect_eq(directory_lock(run, &spec, &status), -1);
	cr_expect_eq(status, EXIT_LATER);
	close(first);
	cr_expect(!directory_has_daemon(run));
	first = directory_lock(run, &spec, &status);
	cr_assert(first >= 0);
	close(first);
	cr_assert_eq(unlinkat(run, "lock", 0), 0);
	cr_expect(!directory_has_daemon(run));
	cr_assert_eq(symlinkat("elsewhere", run, "lock"), 0);
	cr_expect_eq(directory_lock(run, &spec, &status), -1);
	cr_expect_eq(status, EXIT_IO);
	close(run);
}

/* A directory as version 0.1.0 left it, with a link in place of the socket. */
Test(directory, the_run_directory_gets_root_as_owner_again)
{
	struct stat st;
	int status;

	if (geteuid() != 0)
		cr_skip_test("needs root");
	close(open(directory_path("precious").p, O_CREAT | O_WRONLY, 0644));
	cr_assert_eq(chmod(directory_path("precious").p, 0644), 0);
	cr_assert_eq(mkdir(directory_path("run").p, 0700), 0);
	cr_assert_eq(chown(directory_path("run").p, ROLE, ROLE), 0);
	cr_assert_eq(
	    symlink(directory_path("precious").p, directory_path("run/control.sock").p), 0);
	cr_assert(directory_run(&status) >= 0, "%d", status);
	directory_is_reachable();
	cr_assert_eq(stat(directory_path("precious").p, &st), 0);
	cr_expect_eq(st.st_uid, 0);
	cr_expect_eq(st.st_mode & 0777, 0644);
	cr_assert_eq(stat(directory_path("run").p, &st), 0);
	cr_expect_eq(st.st_uid, 0);
}

Test(directory, a_run_directory_of_another_user_is_refused)
{
	int status;

	if (geteuid() != 0)
		cr_skip_test("needs root");
	cr_assert_eq(mkdir(directory_path("run").p, 0700), 0);
	cr_assert_eq(chown(directory_path("run").p, OTHER_UID, OTHER_UID), 0);
	cr_expect_eq(directory_run(&status), -1);
	cr_expect_eq(status, EXIT_NOT_ALLOWED);
}

/* A path that is longer than the name of a socket may be. */
Test(directory, a_long_path_of_the_run_directory_works)
{
	static struct os_user role;
	char name[160];
	struct directory_spec spec = {.key = "run", .owner = &role};
	int status = 0, fd;

	role = directory_role();
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = 0;
	spec.path = directory_path(name);
	fd = directory_open_run(&spec, &status);
	cr_assert(fd >= 0);
	cr_expect(directory_open_socket(fd, &spec, &status) >= 0);
}
