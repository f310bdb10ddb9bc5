/*
 * host: see the header.
 */
#include "main/host.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "main/notify.h"

enum { REFUSAL_BYTES = 1024 };

/* ---- users ---- */

static bool
find_user(const char *name, struct identity *out)
{
	struct passwd *p = getpwnam(name);

	if (!p)
		return false;
	*out = (struct identity){.uid = p->pw_uid, .gid = p->pw_gid};
	return true;
}

static bool
find_base_user(const struct conf *c, struct identity *out, char name_out[64])
{
	snprintf(name_out, 64, "%.*s", STR_ARG(c->user.n ? c->user : STR("sallyport")));
	if (find_user(name_out, out))
		return true;
	if (c->user.n) {
		log_error("user \"%s\" does not exist", name_out);
		return false;
	}
	log_warn("no user \"sallyport\" on this system: the roles become \"nobody\"");
	return find_user("nobody", out);
}

bool
host_identities(const struct conf *c, struct identity identities[ROLE_KINDS])
{
	static const enum role_kind own[] = {ROLE_KEYS, ROLE_AUTH, ROLE_QUEUE};
	struct identity shared = {.uid = getuid(), .gid = getgid()};
	char name[64], full[96];

	if (getuid() == 0 && !find_base_user(c, &shared, name))
		return false;
	for (int k = 0; k < ROLE_KINDS; k++)
		identities[k] = shared;
	if (getuid() != 0)
		return true;
	for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
		snprintf(full, sizeof full, "%s-%s", name, role_name(own[i]));
		(void)find_user(full, &identities[own[i]]);
	}
	identities[ROLE_WORKER] = identities[ROLE_AUTH];
	return true;
}

/* ---- directories ---- */

/* Parents are made too, plainly; only the last one is private. */
static bool
make_directory(char *path, const struct identity *owner)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdir(path, 0755) != 0 && errno != EEXIST)
			return false;
		*slash = '/';
	}
	if (mkdir(path, 0700) != 0)
		return false;
	return getuid() != 0 || chown(path, owner->uid, owner->gid) == 0;
}

static void
warn_of_modes(const char *path, int fd, const struct identity *owner)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return;
	if (st.st_mode & 077)
		log_warn("%s is open to others (mode %04o): chmod 700", path, st.st_mode & 07777);
	if (getuid() == 0 && st.st_uid != owner->uid && fchown(fd, owner->uid, owner->gid) == 0)
		log_warn("%s belonged to uid %u: given to %u", path, st.st_uid, owner->uid);
}

int
host_directory(struct str path, const struct identity *owner)
{
	char name[4096];
	int fd;

	snprintf(name, sizeof name, "%.*s", STR_ARG(path));
	fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && make_directory(name, owner))
		fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		log_error("directory %.*s: %s", STR_ARG(path), strerror(errno));
	else
		warn_of_modes(name, fd, owner);
	return fd;
}

/* ---- log ---- */

static int
connect_log(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
		return fd;
	close(fd);
	return -1;
}

static int
open_log_file(struct str file)
{
	char name[4096];

	snprintf(name, sizeof name, "%.*s", STR_ARG(file));
	return open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

void
host_log(const struct conf *c, uint64_t secret)
{
	enum log_target target = LOG_TO_STDERR;
	int fd = 2;

	switch ((enum conf_log_target)c->log.target) {
	case CONF_LOG_STDERR:
		break;
	case CONF_LOG_JOURNAL:
		fd = connect_log("/run/systemd/journal/socket");
		target = LOG_TO_JOURNAL;
		break;
	case CONF_LOG_SYSLOG:
		fd = connect_log("/dev/log");
		target = LOG_TO_SYSLOG;
		break;
	case CONF_LOG_FILE:
		fd = open_log_file(c->log.file);
		target = LOG_TO_FILE;
		break;
	}
	log_show_addresses((enum log_addresses)c->log.addresses, secret);
	if (fd >= 0) {
		log_open(fd, target);
		return;
	}
	log_open(2, LOG_TO_STDERR);
	log_warn("log.target cannot be opened (%s): logging to stderr", strerror(errno));
}

/* ---- the rest ---- */

void
host_raise_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) != 0)
		log_warn("limit of descriptors: %s", strerror(errno));
}

bool
host_can_talk(void)
{
	int ends[2];

	if (channel_pair(ends) == 0) {
		close(ends[0]);
		close(ends[1]);
		return true;
	}
	if (errno == ENOBUFS)
		log_error("socket buffers are too small for the daemon's processes to talk to one "
			  "another: net.core.wmem_max must be at least %zu (sysctl -w "
			  "net.core.wmem_max=212992)",
		    channel_buffer_needed());
	else
		log_error("no sockets for the daemon's processes: %s", strerror(errno));
	return false;
}

int
host_refuse(int exit_status, const char *format, ...)
{
	char text[REFUSAL_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	log_error("%s", text);
	if (log_target() != LOG_TO_STDERR)
		fprintf(stderr, "sallyportd: %s\n", text);
	notify_status("%s", text);
	return exit_status;
}
