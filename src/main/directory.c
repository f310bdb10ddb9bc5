/*
 * directory: see the header.
 */
#include "main/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/error_text.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/path_access.h"
#include "main/os.h"

enum { LINKS_MAX = 16, SOCKET_BACKLOG = 64, LOCK_WAIT_MS = 3000, LOCK_PAUSE_MS = 50 };
enum { WORD_BYTES_MAX = 1 << 20 };

const char directory_socket[] = "control.sock";
/* in the run directory; the queue's lock in the spool has the same name */
static const char lock_name[] = "lock";

/* ---- opening a path part by part ---- */

struct directory_walk {
	int fd;                    /* the directory reached so far */
	char rest[PATH_MAX];       /* the rest of the path */
	char done[PATH_MAX];       /* the path of fd, for messages */
	unsigned links;
	const char *trouble;       /* reason, where errno is not enough; literal */
	bool is_made;              /* the last part was missing and was created */
	const struct os_user *owner; /* of the last part, when it is created */
	mode_t mode;               /* likewise */
};

/* True if only root can add names to the directory or remove them. */
static bool
directory_is_roots(const struct stat *st)
{
	bool group_writes = (st->st_mode & S_IWGRP) && st->st_gid != 0;

	return st->st_uid == 0 &&
	    ((st->st_mode & S_ISVTX) || (!group_writes && !(st->st_mode & S_IWOTH)));
}

static bool
directory_may_walk_below(struct directory_walk *w)
{
	struct stat st;

	if (geteuid() != 0)
		return true;
	if (fstat(w->fd, &st) != 0)
		return false;
	if (directory_is_roots(&st))
		return true;
	w->trouble = "somebody other than root can write in it";
	errno = EPERM;
	return false;
}

static void
directory_move(struct directory_walk *w, int fd, const char *name)
{
	size_t n = strlen(w->done);

	snprintf(w->done + n, sizeof w->done - n, "%s%s", n && w->done[n - 1] == '/' ? "" : "/",
	    name);
	close(w->fd);
	w->fd = fd;
}

static int
directory_start(struct directory_walk *w)
{
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (w->fd >= 0)
		close(w->fd);
	w->fd = fd;
	snprintf(w->done, sizeof w->done, "/");
	return 0;
}

/* The target of the link comes before the rest of the path; a link of another user is not
 * followed. */
static int
directory_follow(struct directory_walk *w, int link, const struct stat *st)
{
	char text[PATH_MAX], rest[PATH_MAX];
	ssize_t n = readlinkat(link, "", text, sizeof text - 1);

	if (n < 0)
		return -1;
	text[n] = 0;
	if (++w->links > LINKS_MAX) {
		errno = ELOOP;
		return -1;
	}
	if (geteuid() == 0 && st->st_uid != 0) {
		w->trouble = "a symbolic link in it belongs to somebody other than root";
		errno = EPERM;
		return -1;
	}
	if (snprintf(rest, sizeof rest, "%s/%s", text, w->rest) >= (int)sizeof rest) {
		errno = ENAMETOOLONG;
		return -1;
	}
	snprintf(w->rest, sizeof w->rest, "%s", rest);
	return text[0] == '/' ? directory_start(w) : 0;
}

/* Creates parents with mode 0755, and the last directory as requested. */
static int
directory_make(struct directory_walk *w, const char *name)
{
	bool is_last = w->rest[strspn(w->rest, "/")] == 0;

	if (mkdirat(w->fd, name, is_last ? w->mode : 0755) != 0)
		return -1;
	/* main's umask is narrower */
	if (!is_last && fchmodat(w->fd, name, 0755, 0) != 0)
		return -1;
	w->is_made = is_last;
	return openat(w->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

static int
directory_enter(struct directory_walk *w, const char *name)
{
	struct stat st;
	int fd, saved_errno, result;

	if (!directory_may_walk_below(w))
		return -1;
	fd = openat(w->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		fd = directory_make(w, name);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		directory_move(w, fd, name);
		return 0;
	}
	errno = ENOTDIR;
	result = S_ISLNK(st.st_mode) ? directory_follow(w, fd, &st) : -1;
	saved_errno = errno;
	close(fd);
	errno = saved_errno;
	return result;
}

/* Removes the next name from the rest; false: there is none. */
static bool
directory_next(struct directory_walk *w, char name[NAME_MAX + 1])
{
	size_t skip = strspn(w->rest, "/"), n = strcspn(w->rest + skip, "/");

	if (n == 0)
		return false;
	snprintf(name, NAME_MAX + 1, "%.*s", (int)n, w->rest + skip);
	memmove(w->rest, w->rest + skip + n, strlen(w->rest + skip + n) + 1);
	return true;
}

/* 0: w->fd is the directory, open for reading; -1 with errno. */
static int
directory_walk(struct directory_walk *w, struct str path)
{
	char name[NAME_MAX + 1];
	int fd;

	w->fd = -1;
	if (path.n >= sizeof w->rest) {
		errno = ENAMETOOLONG;
		return -1;
	}
	snprintf(w->rest, sizeof w->rest, "%.*s", STR_ARG(path));
	if (directory_start(w) != 0)
		return -1;
	while (directory_next(w, name))
		if (directory_enter(w, name) != 0)
			return -1;
	fd = openat(w->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	close(w->fd);
	w->fd = fd;
	/* in this order: to change the mode of another user's directory takes CAP_FOWNER */
	if (w->is_made && fchmod(fd, w->mode) != 0)
		return -1;
	return w->is_made && geteuid() == 0 ? fchown(fd, w->owner->uid, w->owner->gid) : 0;
}

/* ---- owners ---- */

static int
directory_refuse(const struct directory_walk *w, const struct directory_spec *spec, int *status_out)
{
	bool is_forbidden = errno == EACCES || errno == EPERM;
	bool is_in_vain = errno == EROFS && path_access_is_read_only_mount(w->fd);
	char why[320], hint[PATH_ACCESS_HINT_BYTES], user[OS_USER_TEXT_BYTES];

	(void)path_access_hint(spec->path, errno, hint);
	snprintf(why, sizeof why, "%s", w->trouble ? w->trouble : error_text(errno));
	*status_out = daemon_report_failure(is_forbidden ? EXIT_NOT_ALLOWED
		: is_in_vain                   ? EXIT_CONFIG
					       : EXIT_IO,
	    "%s: %.*s cannot be opened for %s: %s: %s%s%s", spec->key, STR_ARG(spec->path),
	    os_user_text(spec->owner, user), w->done[0] ? w->done : "/", why, hint,
	    is_forbidden && geteuid() != 0 ? ": without root, set it to a directory of your own"
					   : "");
	if (w->fd >= 0)
		close(w->fd);
	return -1;
}

/* Reports what belongs to another user: the directory itself (name NULL) or a file in it. */
static int
directory_refuse_owner(const struct directory_spec *spec, const char *name, const struct stat *st,
    int *status_out)
{
	char user[OS_USER_TEXT_BYTES];
	struct buf words;

	buf_init(&words, WORD_BYTES_MAX);
	encode_shell_word(&words, str_of(spec->owner->name));
	buf_addz(&words, ": ");
	encode_shell_word(&words, spec->path);
	*status_out = daemon_report_failure(EXIT_NOT_ALLOWED,
	    "%s: %.*s%s%s belongs to uid %u (mode %04o), and %s needs it: chown -R %.*s",
	    spec->key, STR_ARG(spec->path), name ? "/" : "", name ? name : "", st->st_uid,
	    st->st_mode & 07777, os_user_text(spec->owner, user), STR_ARG(buf_str(&words)));
	buf_clear(&words);
	return -1;
}

/* True for a file that the daemon itself creates in the spool or the state directory, or would use
 * as such a file.  Any other file (a note, lost+found) does not matter. */
static bool
directory_is_own_file(const char *name)
{
	struct str n = str_of(name);

	return str_eq(n, STR("lock")) || (str_starts(n, STR("seg-")) && n.n == 12) ||
	       str_iends(n, STR(".body")) || str_starts(n, STR("accounts."));
}

static int
directory_check_files(int fd, const struct directory_spec *spec, int *status_out)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;
	DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
	const struct dirent *e;
	struct stat st;

	if (!d) {
		*status_out = daemon_report_failure(EXIT_IO, "%s: %.*s cannot be read: %s",
		    spec->key, STR_ARG(spec->path), error_text(errno));
		if (copy >= 0)
			close(copy);
		return -1;
	}
	while (result == 0 && (e = readdir(d)))
		if (directory_is_own_file(e->d_name) &&
		    fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
		    st.st_uid != spec->owner->uid)
			result = directory_refuse_owner(spec, e->d_name, &st, status_out);
	closedir(d);
	return result;
}

int
directory_open(const struct directory_spec *spec, int *status_out)
{
	struct directory_walk w = {.owner = spec->owner, .mode = 0700};
	struct stat st;
	int result;

	if (directory_walk(&w, spec->path) != 0 || fstat(w.fd, &st) != 0)
		return directory_refuse(&w, spec, status_out);
	if (st.st_uid != spec->owner->uid)
		result = directory_refuse_owner(spec, NULL, &st, status_out);
	else
		result = directory_check_files(w.fd, spec, status_out);
	if (result != 0) {
		close(w.fd);
		return -1;
	}
	if (st.st_mode & 077)
		os_warn_of_mode(spec->path, "is open to others", &st);
	return w.fd;
}

bool
directory_has_name(int fd, struct str beginning, struct str end)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
	const struct dirent *e = NULL;
	bool is_there;

	if (!d) {
		if (copy >= 0)
			close(copy);
		return true;
	}
	do {
		errno = 0;
		e = readdir(d);
	} while (e && !(str_starts(str_of(e->d_name), beginning) &&
	                str_iends(str_of(e->d_name), end)));
	is_there = e || errno;
	closedir(d);
	return is_there;
}

/* ---- the run directory ---- */

static int
directory_refuse_run(const struct directory_spec *spec, const struct stat *st, int *status_out)
{
	struct buf word;

	buf_init(&word, WORD_BYTES_MAX);
	encode_shell_word(&word, spec->path);
	*status_out = daemon_report_failure(EXIT_NOT_ALLOWED,
	    "%s: %.*s belongs to uid %u (mode %04o), and uid %u needs it: chown %u: %.*s",
	    spec->key, STR_ARG(spec->path), st->st_uid, st->st_mode & 07777, geteuid(), geteuid(),
	    STR_ARG(buf_str(&word)));
	buf_clear(&word);
	return -1;
}

int
directory_open_run(const struct directory_spec *spec, int *status_out)
{
	const struct os_user caller = {.uid = geteuid(), .gid = getegid()};
	mode_t mode = caller.uid == 0 ? 0755 : 0700;
	struct directory_walk w = {.owner = &caller, .mode = mode};
	struct stat st;

	if (directory_walk(&w, spec->path) != 0 || fstat(w.fd, &st) != 0)
		return directory_refuse(&w, spec, status_out);
	if (st.st_uid == caller.uid && !(st.st_mode & 022))
		return w.fd;
	if (caller.uid == 0 && (st.st_uid == 0 || st.st_uid == spec->owner->uid)) {
		if (fchown(w.fd, 0, 0) != 0 || fchmod(w.fd, mode) != 0)
			return directory_refuse(&w, spec, status_out);
		log_warn("%.*s belonged to uid %u (mode %04o): it is root's now, mode %04o",
		    STR_ARG(spec->path), st.st_uid, st.st_mode & 07777, mode);
		return w.fd;
	}
	if (st.st_uid == caller.uid && fchmod(w.fd, mode) == 0)
		return w.fd;
	close(w.fd);
	return directory_refuse_run(spec, &st, status_out);
}

/* Only a file that main itself created is locked: another user could lock his own. */
static int
directory_open_lock(int run_fd)
{
	int fd = openat(run_fd, lock_name,
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	    fchmod(fd, 0600) == 0)
		return fd;
	close(fd);
	errno = EPERM;
	return -1;
}

/* The lock belongs to the open file, not to the process: it ends with the last descriptor.  A
 * daemon that was killed while it started a role leaves a child that has the descriptor until its
 * exec. */
static int
directory_await_lock(int fd, const struct directory_spec *spec)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000};
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	for (int i = 0; fcntl(fd, F_OFD_SETLK, &all) != 0; i++) {
		if ((errno != EAGAIN && errno != EACCES) || i == LOCK_WAIT_MS / LOCK_PAUSE_MS)
			return -1;
		if (i == 0)
			log_warn("%s: another process has the lock of %.*s: waiting up to %d s for "
			         "it", spec->key, STR_ARG(spec->path), LOCK_WAIT_MS / 1000);
		nanosleep(&pause, NULL);
	}
	return 0;
}

int
directory_lock(int run_fd, const struct directory_spec *spec, int *status_out)
{
	int fd = directory_open_lock(run_fd);

	if (fd >= 0 && directory_await_lock(fd, spec) == 0)
		return fd;
	if (errno == EAGAIN || errno == EACCES)
		*status_out = daemon_report_failure(EXIT_LATER,
		    "%s: %.*s: another sallyportd is running with this directory; nothing was "
		    "changed",
		    spec->key, STR_ARG(spec->path));
	else
		*status_out = daemon_report_failure(EXIT_IO, "%s: %.*s/%s: %s", spec->key,
		    STR_ARG(spec->path), lock_name, error_text(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

bool
directory_has_daemon(int run_fd)
{
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int lock = openat(run_fd, lock_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool is_locked;

	if (lock < 0)
		return false;
	is_locked = fcntl(lock, F_OFD_GETLK, &all) == 0 && all.l_type != F_UNLCK;
	close(lock);
	return is_locked;
}

bool
directory_spool_is_locked(int fd)
{
	int lock = openat(fd, lock_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool is_locked;

	if (lock < 0)
		return false;
	is_locked = flock(lock, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
	close(lock);
	return is_locked;
}

static int
directory_bind(int socket_fd, int run_fd)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	mode_t mask;
	int result;

	/* by the descriptor: the name can then neither be too long nor lead elsewhere */
	snprintf(at.sun_path, sizeof at.sun_path, "/proc/self/fd/%d/%s", run_fd, directory_socket);
	if (unlinkat(run_fd, directory_socket, 0) != 0 && errno != ENOENT)
		return -1;
	mask = umask(0177);
	result = bind(socket_fd, (struct sockaddr *)&at, sizeof at);
	umask(mask);
	return result;
}

int
directory_open_socket(int run_fd, const struct directory_spec *spec, int *status_out)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const struct os_user *to = spec->owner;

	if (fd >= 0 && directory_bind(fd, run_fd) == 0 && listen(fd, SOCKET_BACKLOG) == 0 &&
	    (geteuid() != 0 ||
		fchownat(run_fd, directory_socket, to->uid, to->gid, AT_SYMLINK_NOFOLLOW) == 0))
		return fd;
	*status_out = daemon_report_failure(EXIT_IO, "%s: %.*s/%s: %s", spec->key,
	    STR_ARG(spec->path), directory_socket, error_text(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}
