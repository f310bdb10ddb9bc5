/*
 * path_access: a hint is made from the path and the error alone, and only when the process runs in
 * a unit. The lists of hidden directories follow ProtectHome= and PrivateTmp= of the shipped unit.
 * For mounts only what /proc tells about this process is read. errno is unchanged after each call.
 */
#include "base/path_access.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

enum { MOUNTS_BYTES_MAX = 4 << 20 };

bool
path_access_is_below(struct str path, struct str directory)
{
	while (directory.n > 1 && directory.p[directory.n - 1] == '/')
		directory.n--;
	return str_starts(path, directory) &&
	    (path.n == directory.n || directory.n == 1 || path.p[directory.n] == '/');
}

static struct str
path_access_first_above(struct str path, const struct str *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (path_access_is_below(path, list[i]))
			return list[i];
	return STR_NULL;
}

struct str
path_access_hidden_by_home(struct str path)
{
	static const struct str list[] = {STR("/root"), STR("/home"), STR("/run/user")};

	return path_access_first_above(path, list, sizeof list / sizeof *list);
}

struct str
path_access_hidden_by_tmp(struct str path)
{
	static const struct str list[] = {STR("/tmp"), STR("/var/tmp")};

	return path_access_first_above(path, list, sizeof list / sizeof *list);
}

const char *
path_access_hint(struct str path, int error, char room[PATH_ACCESS_HINT_BYTES])
{
	struct str home = path_access_hidden_by_home(path), tmp = path_access_hidden_by_tmp(path);
	bool is_missing = error == ENOENT || error == ENOTDIR || error == EACCES || error == EPERM;
	static const char where[] = "sallyportd(8), \"Paths outside the unit\"";
	int saved_errno = errno;

	room[0] = '\0';
	if (!getenv("INVOCATION_ID"))
		return room;
	if (error == EROFS && !home.n)
		snprintf(room, PATH_ACCESS_HINT_BYTES,
		    ": the unit lets the daemon write in few directories (ProtectSystem=strict): a "
		    "drop-in with ReadWritePaths=%.*s is needed, see %s",
		    STR_ARG(path), where);
	else if (home.n && (is_missing || error == EROFS))
		snprintf(room, PATH_ACCESS_HINT_BYTES,
		    ": the unit hides what is below %.*s (ProtectHome=): choose another place, or "
		    "show it with ProtectHome=tmpfs and BindReadOnlyPaths= in a drop-in, see %s",
		    STR_ARG(home), where);
	else if (tmp.n && is_missing)
		snprintf(room, PATH_ACCESS_HINT_BYTES,
		    ": the unit gives the daemon a %.*s of its own (PrivateTmp=): choose another "
		    "place, see %s", STR_ARG(tmp), where);
	errno = saved_errno;
	return room;
}

/* ---- mounts ---- */

static bool
path_access_read(const char *name, struct buf *out)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	bool is_read = fd >= 0 && buf_read_file(out, fd) == 0;

	if (fd >= 0)
		close(fd);
	return is_read;
}

static bool
path_access_mount_of(int fd, uint64_t *out)
{
	struct str rest, line;
	bool is_found = false;
	struct buf text;
	char name[64];

	snprintf(name, sizeof name, "/proc/self/fdinfo/%d", fd);
	buf_init(&text, MOUNTS_BYTES_MAX);
	if (path_access_read(name, &text))
		for (rest = buf_str(&text); !is_found && str_split(&rest, '\n', &line);)
			is_found = str_starts(line, STR("mnt_id:")) &&
			    str_u64(str_trim(str_from(line, 7)), out);
	buf_clear(&text);
	return is_found;
}

static bool
path_access_is_option(struct str options, struct str wanted)
{
	struct str option;

	while (str_split(&options, ',', &option))
		if (str_eq(option, wanted))
			return true;
	return false;
}

/* A line of mountinfo (proc(5)): number parent device root place OPTIONS - type source OPTIONS. */
static bool
path_access_is_line_of(struct str line, uint64_t mount, bool *is_read_only_out)
{
	struct str word = STR_NULL, own = STR_NULL, last = STR_NULL;
	uint64_t number;

	if (!str_split(&line, ' ', &word) || !str_u64(word, &number) || number != mount)
		return false;
	for (unsigned n = 1; str_split(&line, ' ', &word); n++) {
		if (n == 5)
			own = word;
		last = word;
	}
	*is_read_only_out =
	    path_access_is_option(own, STR("ro")) && !path_access_is_option(last, STR("ro"));
	return true;
}

bool
path_access_is_read_only_mount(int fd)
{
	bool is_found = false, is_read_only = false;
	struct str rest, line;
	int saved_errno = errno;
	struct buf text;
	uint64_t mount;

	buf_init(&text, MOUNTS_BYTES_MAX);
	if (path_access_mount_of(fd, &mount) && path_access_read("/proc/self/mountinfo", &text))
		for (rest = buf_str(&text); !is_found && str_split(&rest, '\n', &line);)
			is_found = path_access_is_line_of(line, mount, &is_read_only);
	buf_clear(&text);
	errno = saved_errno;
	return is_found && is_read_only;
}
