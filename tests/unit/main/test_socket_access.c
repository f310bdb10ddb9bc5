/* socket_access: owner, group and mode of the control socket and its directory, as configured; and
 * the message when the system does not permit it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "main/directory.h"
#include "main/socket_access.h"

enum { ROLE_UID = 61003, ROLE_GID = 61004, DESK = 61100, OTHER = 61200 };

static char base[64];
static struct daemon d;
static const struct conf none, desk = {.has_help_desk = true, .help_desk = DESK},
    other = {.has_help_desk = true, .help_desk = OTHER};

static void
set_up(void)
{
	struct directory_spec spec = {.key = "run_directory", .path = STR("/test")};
	int status = 0;

	if (geteuid() != 0)
		cr_skip_test("needs root to give files away");
	snprintf(base, sizeof base, "/tmp/test-help-desk.XXXXXX");
	cr_assert(mkdtemp(base));
	d.identities[ROLE_CONTROL] = (struct os_user){.uid = ROLE_UID, .gid = ROLE_GID};
	spec.owner = &d.identities[ROLE_CONTROL];
	d.run_fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d.admin_fd = directory_open_socket(d.run_fd, &spec, &status);
	cr_assert_geq(d.admin_fd, 0);
}

static void
tear_down(void)
{
	if (d.run_fd <= 0)
		return;
	(void)unlinkat(d.run_fd, directory_socket, 0);
	close(d.admin_fd);
	close(d.run_fd);
	rmdir(base);
}

TestSuite(socket_access, .init = set_up, .fini = tear_down);

static void
expect_access(const char *name, uid_t uid, gid_t gid, mode_t mode)
{
	struct stat st;

	cr_assert_eq(fstatat(d.run_fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	cr_expect_eq(st.st_uid, uid, "%s: uid %u", name, st.st_uid);
	cr_expect_eq(st.st_gid, gid, "%s: gid %u", name, st.st_gid);
	cr_expect_eq(st.st_mode & 07777, mode, "%s: mode %04o", name, st.st_mode & 07777);
}

static void
expect_set(const struct conf *old_conf, const struct conf *new_conf)
{
	char why[DAEMON_REASON_BYTES] = "";

	cr_assert(socket_access_set(&d, old_conf, new_conf, why), "%s", why);
}

Test(socket_access, every_change_of_the_group)
{
	fchmod(d.run_fd, 0755);
	expect_set(NULL, &none);
	expect_access(directory_socket, ROLE_UID, ROLE_GID, 0600);
	expect_set(NULL, &desk);
	expect_access(directory_socket, ROLE_UID, DESK, 0660);
	expect_set(&desk, &desk);
	expect_access(directory_socket, ROLE_UID, DESK, 0660);
	expect_set(&desk, &other);
	expect_access(directory_socket, ROLE_UID, OTHER, 0660);
	expect_set(&other, &none);
	expect_access(directory_socket, ROLE_UID, ROLE_GID, 0600);
	expect_access(".", 0, 0, 0755);
}

/* Without a group nothing is checked or changed, even if another user changed it. */
Test(socket_access, without_a_group_nothing_changes)
{
	cr_assert_eq(fchmodat(d.run_fd, directory_socket, 0640, 0), 0);
	expect_set(&none, &none);
	expect_access(directory_socket, ROLE_UID, ROLE_GID, 0640);
	unlinkat(d.run_fd, directory_socket, 0);
	expect_set(&none, &none);
	expect_set(NULL, &none);
}

/* The group can search it and do nothing else; users who could before, and are no members,
 * cannot. */
Test(socket_access, a_directory_that_others_cannot_search)
{
	static const struct {
		gid_t gid;
		mode_t mode, with, without;
	} cases[] = {{0, 0700, 0710, 0700}, {0, 0750, 0710, 0700}, {DESK, 0700, 0710, 0700},
	    {DESK, 0710, 0710, 0700}, {DESK, 0705, 0715, 0715}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_assert_eq(fchown(d.run_fd, 0, cases[i].gid), 0);
		cr_assert_eq(fchmod(d.run_fd, cases[i].mode), 0);
		expect_set(NULL, &desk);
		expect_access(".", 0, DESK, cases[i].with);
		expect_set(&desk, &none);
		expect_access(".", 0, DESK, cases[i].without);
	}
	/* access of another group stays */
	cr_assert_eq(fchown(d.run_fd, 0, OTHER), 0);
	cr_assert_eq(fchmod(d.run_fd, 0710), 0);
	expect_set(&desk, &none);
	expect_access(".", 0, OTHER, 0710);
}

static void
drop_capability(unsigned which)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2];

	cr_assert_eq(syscall(SYS_capget, &head, sets), 0);
	sets[0].effective &= ~(1u << which);
	cr_assert_eq(syscall(SYS_capset, &head, sets), 0);
}

/* The shipped unit gives main CAP_CHOWN and not CAP_FOWNER. */
Test(socket_access, works_with_the_capabilities_of_the_unit)
{
	drop_capability(CAP_FOWNER);
	expect_set(NULL, &desk);
	expect_access(directory_socket, ROLE_UID, DESK, 0660);
	expect_set(&desk, &none);
	expect_access(directory_socket, ROLE_UID, ROLE_GID, 0600);
}

static void
expect_failure(const struct conf *old_conf, const struct conf *new_conf, int error)
{
	char why[DAEMON_REASON_BYTES] = "";

	cr_expect(!socket_access_set(&d, old_conf, new_conf, why));
	cr_expect(strstr(why, "help_desk_group: ") && strstr(why, strerror(error)), "%s", why);
}

Test(socket_access, a_failure_is_reported)
{
	int fd;

	drop_capability(CAP_CHOWN);
	expect_failure(NULL, &desk, EPERM);
	expect_access(directory_socket, ROLE_UID, ROLE_GID, 0600);
	unlinkat(d.run_fd, directory_socket, 0);
	expect_failure(NULL, &desk, ENOENT);
	expect_failure(&desk, &none, ENOENT);
	fd = openat(d.run_fd, directory_socket, O_WRONLY | O_CREAT | O_EXCL, 0600);
	cr_assert_geq(fd, 0);
	close(fd);
	expect_failure(NULL, &desk, ENOTSOCK);
}
