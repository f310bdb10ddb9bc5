/*
 * os: see the header.
 */
#include "main/os.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "auth/worker_kinds.h"
#include "base/encode.h"
#include "base/error_text.h"
#include "base/log.h"
#include "base/path_access.h"
#include "base/regular_file.h"
#include "main/systemd_notify.h"

enum { REFUSAL_BYTES = 4096, WORD_BYTES_MAX = 1 << 20 };

/* ---- users ---- */

enum { NOBODY_UID = 65534 };

static bool
os_find_user(const char *name, struct os_user *out)
{
	struct passwd *p = getpwnam(name);

	if (!p)
		return false;
	*out = (struct os_user){.uid = p->pw_uid, .gid = p->pw_gid};
	snprintf(out->name, sizeof out->name, "%.*s", (int)sizeof out->name - 1, name);
	return true;
}

/* Many other files and processes belong to "nobody": any process of that user could access ours.
 * And a role that runs as root would not be confined. */
static bool
os_is_suitable_user(const char *name, const struct os_user *user, struct buf *why)
{
	if (user->uid == NOBODY_UID)
		buf_addf(why,
		    "user = \"%s\": the roles need a user of their own, for example \"sallyport\"",
		    name);
	else if (user->uid == 0)
		buf_addf(why, "user = \"%s\": the roles must not be root", name);
	return user->uid != NOBODY_UID && user->uid != 0;
}

static bool
os_find_base_user(const struct conf *c, struct os_user *out, struct buf *why)
{
	char name[OS_USER_NAME_BYTES];
	struct buf word;

	snprintf(name, sizeof name, "%.*s", STR_ARG(c->user.n ? c->user : STR("sallyport")));
	if (os_find_user(name, out))
		return os_is_suitable_user(name, out, why);
	buf_init(&word, WORD_BYTES_MAX);
	encode_shell_word(&word, str_of(name));
	buf_addf(why,
	    "the user \"%s\" does not exist: make it with systemd-sysusers "
	    "(etc/sallyport.sysusers), or: "
	    "useradd --system --no-create-home --shell /usr/sbin/nologin %.*s",
	    name, STR_ARG(buf_str(&word)));
	buf_clear(&word);
	return false;
}

bool
os_check_user(const struct conf *c, struct buf *why)
{
	struct os_user user;

	return os_find_base_user(c, &user, why);
}

static bool
os_calling_user(struct os_user *out, struct buf *why)
{
	*out = (struct os_user){.uid = getuid(), .gid = getgid()};
	snprintf(out->name, sizeof out->name, "%u", out->uid);
	return out->uid == 0 || os_is_suitable_user("nobody", out, why);
}

/* The user of the roles without their own account; false: refused. */
static bool
os_shared_user(const struct conf *c, struct os_user *out)
{
	struct buf why;
	bool is_found;

	buf_init(&why, REFUSAL_BYTES);
	is_found = os_calling_user(out, &why) && (getuid() != 0 || os_find_base_user(c, out, &why));
	if (!is_found)
		daemon_report_failure(EXIT_CONFIG, "%.*s", STR_ARG(buf_str(&why)));
	buf_clear(&why);
	return is_found;
}

bool
os_role_users(const struct conf *c, struct os_user identities[ROLE_KINDS])
{
	static const enum role_kind own[] = {ROLE_KEYS, ROLE_AUTH, ROLE_QUEUE};
	char full[OS_USER_NAME_BYTES + 16];
	struct os_user shared;

	if (!os_shared_user(c, &shared))
		return false;
	for (int k = 0; k < ROLE_KINDS; k++)
		identities[k] = shared;
	if (getuid() != 0)
		return true;
	for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
		snprintf(full, sizeof full, "%s-%s", shared.name, role_name(own[i]));
		(void)os_find_user(full, &identities[own[i]]);
	}
	for (size_t k = 0; k < WORKER_KINDS; k++)
		identities[worker_kinds[k].role] = identities[ROLE_AUTH];
	return true;
}

/* ---- log ---- */

static int
os_connect_log(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), saved_errno;

	if (fd < 0)
		return -1;
	snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
		return fd;
	saved_errno = errno;
	close(fd);
	errno = saved_errno;
	return -1;
}

static int
os_open_log_file(struct str file, bool *is_made_out)
{
	enum { HOW = O_WRONLY | O_APPEND };
	int fd = regular_file_open_str(file, HOW);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	fd = regular_file_open_str(file, HOW | O_CREAT | O_EXCL);
	*is_made_out = fd >= 0;
	/* another process created it meanwhile, or the name is a link to a file that does not exist
	 * yet */
	return fd < 0 && errno == EEXIST ? regular_file_open_str(file, HOW | O_CREAT) : fd;
}

struct str
os_log_path(const struct conf *c)
{
	switch ((enum conf_log_target)c->log.target) {
	case CONF_LOG_JOURNAL:
		return STR("/run/systemd/journal/socket");
	case CONF_LOG_SYSLOG:
		return STR("/dev/log");
	case CONF_LOG_FILE:
		return c->log.file;
	default:
		return STR("standard error");
	}
}

bool
os_open_log(const struct conf *c, struct os_log *out)
{
	*out = (struct os_log){.fd = 2, .target = LOG_TO_STDERR};
	switch ((enum conf_log_target)c->log.target) {
	case CONF_LOG_STDERR:
		break;
	case CONF_LOG_JOURNAL:
		out->fd = os_connect_log(os_log_path(c).p);
		out->target = LOG_TO_JOURNAL;
		break;
	case CONF_LOG_SYSLOG:
		out->fd = os_connect_log(os_log_path(c).p);
		out->target = LOG_TO_SYSLOG;
		break;
	case CONF_LOG_FILE:
		out->fd = os_open_log_file(c->log.file, &out->is_made);
		out->target = LOG_TO_FILE;
		break;
	}
	out->error = out->fd < 0 ? errno : 0;
	return out->fd >= 0;
}

void
os_discard_log(const struct conf *c, const struct os_log *log)
{
	struct stat mine, named;
	char name[4096];

	snprintf(name, sizeof name, "%.*s", STR_ARG(c->log.file));
	if (log->is_made && log->fd >= 0 && fstat(log->fd, &mine) == 0 && mine.st_size == 0 &&
	    lstat(name, &named) == 0 && named.st_dev == mine.st_dev &&
	    named.st_ino == mine.st_ino)
		(void)unlink(name);
}

void
os_use_log(const struct conf *c, uint64_t secret, struct os_log *log)
{
	char hint[PATH_ACCESS_HINT_BYTES];

	log_show_addresses((enum log_addresses)c->log.addresses, secret);
	if (log->fd >= 0) {
		log_open(log->fd, log->target);
		log->fd = -1;
		return;
	}
	if (!log->is_former)
		log_open(2, LOG_TO_STDERR);
	log_warn("log.target: %.*s cannot be opened (%s): logging %s%s", STR_ARG(os_log_path(c)),
	    regular_file_error(log->error), log->is_former ? "goes on as before" : "to stderr",
	    path_access_hint(os_log_path(c), log->error, hint));
}

void
os_report_log(const char *config, const struct conf *c, struct conf_report *report)
{
	char name[4096];
	struct stat st;

	snprintf(name, sizeof name, "%.*s", STR_ARG(os_log_path(c)));
	if (c->log.target != CONF_LOG_FILE || stat(name, &st) != 0 || regular_file_check(&st) == 0)
		return;
	buf_addf(&report->text, "%s: error: log.target: %s: %s\n", config, name,
	    regular_file_error(regular_file_check(&st)));
	report->errors++;
}

/* ---- descriptors, limits, failures ---- */

void
os_fill_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd >= 0)
		close(fd);
}

const char *
os_user_text(const struct os_user *user, char out[OS_USER_TEXT_BYTES])
{
	char number[16];

	snprintf(number, sizeof number, "%u", user->uid);
	snprintf(out, OS_USER_TEXT_BYTES, "uid %u", user->uid);
	if (strcmp(number, user->name) != 0)
		snprintf(out, OS_USER_TEXT_BYTES, "uid %u (%s)", user->uid, user->name);
	return out;
}

void
os_raise_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) != 0)
		log_warn("the limit of open files cannot be raised: %s", error_text(errno));
}

void
os_warn_of_mode(struct str path, const char *what, const struct stat *st)
{
	struct buf word;

	buf_init(&word, WORD_BYTES_MAX);
	encode_shell_word(&word, path);
	log_warn("%.*s %s (mode %04o): chmod %d %.*s", STR_ARG(path), what, st->st_mode & 07777,
	    S_ISDIR(st->st_mode) ? 700 : 600, STR_ARG(buf_str(&word)));
	buf_clear(&word);
}

int
daemon_report_failure(int exit_status, const char *format, ...)
{
	char text[REFUSAL_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	log_error("%s", text);
	if (log_target() != LOG_TO_STDERR && log_target() != LOG_TO_USER)
		fprintf(stderr, "sallyportd: %s\n", text);
	systemd_notify_status("%s", text);
	return exit_status;
}

int
os_check_channels(void)
{
	int ends[2];

	if (channel_pair(ends) == 0) {
		close(ends[0]);
		close(ends[1]);
		return 0;
	}
	if (errno == ENOBUFS)
		return daemon_report_failure(EXIT_OS,
		    "socket buffers are too small for the channels between the processes: "
		    "net.core.wmem_max must be at least %zu (sysctl -w net.core.wmem_max=212992)",
		    channel_buffer_needed());
	return daemon_report_failure(
	    EXIT_OS, "no sockets for the daemon's processes: %s", error_text(errno));
}
