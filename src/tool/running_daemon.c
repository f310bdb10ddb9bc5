/*
 * running_daemon: only reads /proc, and sends the daemon nothing. A process is believed only when
 * it belongs to root or to this user. The run directory is where the lock file is that the daemon
 * has open, which the configuration may not name any more. Where its files may not be looked at,
 * paths are compared.
 */
#include "tool/running_daemon.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "main/directory.h"

enum { WORDS_BYTES = 16384, PROC_BYTES = RUNNING_DAEMON_PATH_BYTES + 64 };

static const char default_config[] = "/etc/sallyport/sallyport.cfg";

/* ---- its command line ---- */

/* Reads a word of short options, as getopt does: the value of -c may be the next word.  False: with
 * one of the options the program only prints something and exits. */
static bool
running_daemon_read_option(const char *word, const char *next, const char **config)
{
	for (const char *o = word + 1; *o; o++) {
		if (strchr("tVh", *o))
			return false;
		if (*o == 'c') {
			*config = o[1] ? o + 1 : next;
			return true;
		}
	}
	return true;
}

/* Returns the configuration file of a command line; NULL: it is not that of a daemon's main
 * process. */
static const char *
running_daemon_config(const char *words, size_t n)
{
	const char *config = default_config, *end = words + n, *slash = strrchr(words, '/');
	const char *word = words, *next;

	if (strcmp(slash ? slash + 1 : words, "sallyportd") != 0)
		return NULL;
	for (word += strlen(word) + 1; word < end; word = next) {
		next = word + strlen(word) + 1;
		if (strcmp(word, "--") == 0)
			break;
		if (strcmp(word, "--role") == 0 || strcmp(word, "--help") == 0 ||
		    strcmp(word, "--version") == 0)
			return NULL;
		if (word[0] != '-' || word[1] == '-')
			continue;
		if (!running_daemon_read_option(word, next < end ? next : "", &config))
			return NULL;
		if (config == next && next < end)
			next += strlen(next) + 1;
	}
	return config;
}

static size_t
running_daemon_read(const char *process, const char *name, char *out, size_t size)
{
	char path[PROC_BYTES];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%s/%s", process, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, out, size - 1) : -1;
	if (fd >= 0)
		close(fd);
	out[n > 0 ? n : 0] = 0;
	return n > 0 ? (size_t)n : 0;
}

/* True if the process belongs to root or this user: any user may give his process such a name. */
static bool
running_daemon_is_trusted(const char *process)
{
	char text[2048];
	const char *line;
	unsigned uid;

	if (running_daemon_read(process, "status", text, sizeof text) == 0)
		return false;
	line = strstr(text, "\nUid:");
	return line && sscanf(line, "\nUid: %u", &uid) == 1 && (uid == 0 || uid == geteuid());
}

/* ---- its files ---- */

static bool
running_daemon_is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Compares the files as the process sees them, if that is permitted; else by path. */
static bool
running_daemon_has_config(const char *process, const char *its_config, const char *our_config)
{
	bool is_absolute = its_config[0] == '/';
	const char *a = strrchr(its_config, '/'), *b = strrchr(our_config, '/');
	char path[PROC_BYTES];
	struct stat mine, other;

	if (stat(our_config, &mine) != 0)
		return strcmp(its_config, our_config) == 0;
	snprintf(
	    path, sizeof path, "/proc/%s/%s/%s", process, is_absolute ? "root" : "cwd", its_config);
	if (stat(path, &other) == 0)
		return running_daemon_is_same_file(&mine, &other);
	if (errno != EACCES && errno != EPERM)
		return false;
	if (is_absolute)
		return stat(its_config, &other) == 0 && running_daemon_is_same_file(&mine, &other);
	return strcmp(a ? a + 1 : its_config, b ? b + 1 : our_config) == 0;
}

static bool
running_daemon_is_run_directory(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool is_run = fd >= 0 && directory_has_daemon(fd);

	if (fd >= 0)
		close(fd);
	return is_run;
}

/* Finds the run directory by the lock file that the daemon has open. */
static void
running_daemon_find_directory(const char *process, char out[RUNNING_DAEMON_PATH_BYTES])
{
	static const struct str lock = STR("/lock");
	char path[PROC_BYTES];
	bool is_found = false;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%s/fd", process);
	d = opendir(path);
	while (d && !is_found && (e = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, out, RUNNING_DAEMON_PATH_BYTES - 1);
		struct str file = str_make(out, n > 0 ? (size_t)n : 0);

		if (!str_iends(file, lock))
			continue;
		out[file.n - lock.n] = 0;
		is_found = running_daemon_is_run_directory(out);
	}
	if (d)
		closedir(d);
	if (!is_found)
		out[0] = 0;
}

/* ---- all ---- */

static bool
running_daemon_matches(const char *process, const char *config)
{
	char words[WORDS_BYTES];
	size_t n = running_daemon_read(process, "cmdline", words, sizeof words);
	const char *its_config = n ? running_daemon_config(words, n) : NULL;

	return its_config && running_daemon_is_trusted(process) &&
	    running_daemon_has_config(process, its_config, config);
}

bool
running_daemon_find(const char *config, struct running_daemon *out)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	*out = (struct running_daemon){0};
	while (d && out->pid == 0 && (e = readdir(d)))
		if (isdigit((unsigned char)e->d_name[0]) &&
		    running_daemon_matches(e->d_name, config)) {
			running_daemon_find_directory(e->d_name, out->run_directory);
			out->pid = (pid_t)strtol(e->d_name, NULL, 10);
		}
	if (d)
		closedir(d);
	return out->pid != 0;
}
