/*
 * watch_spool: see the header.  stat(2) of the path does not wait for a disk that hangs: because
 * the directory is open, the kernel has the names above it in memory.
 */
#include "main/watch_spool.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "main/directory.h"
#include "main/notices.h"
#include "main/os.h"
#include "main/state_file.h"

enum {
	CHECK_EVERY_S = 2,
	WATCH_SPOOL_LINE_BYTES = PATH_MAX + 2,
	WATCH_SPOOL_TEXT_BYTES = 3 * PATH_MAX + 512,
};

static const char made_name[] = "spool.made";

struct watch_spool {
	struct event *timer;
	char path[PATH_MAX]; /* as at the start: a reload may change the key */
	bool is_marked;      /* spool.made was written, or that was tried */
	bool is_moved;
};

/* ---- the first start ---- */

/* A start creates a segment and the file that names the newest one; a body belongs to a message. */
bool
watch_spool_has_spool(int spool_fd)
{
	return directory_has_name(spool_fd, STR("seg-"), STR("")) ||
	    directory_has_name(spool_fd, STR("newest-segment"), STR("")) ||
	    directory_has_name(spool_fd, STR(""), STR(".body"));
}

int
watch_spool_check_new(const struct daemon *d)
{
	const struct conf *c = d->conf;

	if (watch_spool_has_spool(d->spool_fd))
		return 0;
	if (state_file_is_there(d->state_fd, made_name))
		return daemon_report_failure(EXIT_LATER,
		    "queue.directory: there is no spool in %.*s, but there was one at an earlier "
		    "start: mount its file system, or correct queue.directory (%.*s/%s says where "
		    "it was); to begin with an empty spool, remove that file",
		    STR_ARG(c->queue.directory), STR_ARG(c->state_directory), made_name);
	/* the very first start after `user add` looks the same; version 0.1.0 did not write
	 * spool.made */
	if (directory_has_name(d->state_fd, STR("accounts."), STR("")))
		log_info("queue.directory: there is no spool in %.*s, and nothing says that there "
			 "was one before: the first start that succeeds makes one",
		    STR_ARG(c->queue.directory));
	return 0;
}

/* ---- spool.made ---- */

static bool
watch_spool_marker_is_written(int state_fd, struct str line)
{
	char text[WATCH_SPOOL_LINE_BYTES];
	ssize_t n = state_file_read(state_fd, made_name, text, sizeof text);

	return n >= 0 && str_eq(str_make(text, (size_t)n), line);
}

/* Writes spool.made.  Only its existence matters to the daemon; its content is for the
 * administrator. */
static void
watch_spool_write_marker(struct watch_spool *w, const struct daemon *d)
{
	char text[WATCH_SPOOL_LINE_BYTES];
	struct str line = {text, 0};
	bool is_there;
	int error;

	w->is_marked = true;
	line.n = (size_t)snprintf(text, sizeof text, "%s\n", w->path);
	if (watch_spool_marker_is_written(d->state_fd, line) ||
	    state_file_write(d->state_fd, made_name, line, true) == 0)
		return;
	error = errno;
	is_there = state_file_is_there(d->state_fd, made_name);
	errno = error;
	log_warn("%.*s/%s cannot be written: %m; %s; the next start tries again",
	    STR_ARG(d->conf->state_directory), made_name,
	    is_there ? "there is one, which may name another directory, or be gone after a power "
		       "cut"
		     : "if the spool is not mounted at a later start, a new one will be made");
}

/* ---- the path ---- */

static bool
watch_spool_is_moved(const struct watch_spool *w, int spool_fd)
{
	struct stat used, named;

	if (fstat(spool_fd, &used) != 0)
		return false;
	if (stat(w->path, &named) != 0)
		return errno == ENOENT || errno == ENOTDIR;
	return used.st_dev != named.st_dev || used.st_ino != named.st_ino;
}

static void
watch_spool_report(const struct watch_spool *w, struct daemon *d)
{
	char link[64], now[PATH_MAX], text[WATCH_SPOOL_TEXT_BYTES];
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", d->spool_fd);
	n = readlink(link, now, sizeof now - 1);
	now[n > 0 ? n : 0] = 0;
	if (str_iends(str_of(now), STR(" (deleted)")))
		snprintf(text, sizeof text,
		    "spool: the directory %s was removed while it is in use: what it holds is lost "
		    "when the daemon ends: let no more mail come in (listen: (); and reload), and "
		    "stop the daemon when `sallyport queue list` is empty", w->path);
	else
		snprintf(text, sizeof text,
		    "spool: %s is not the directory that is in use any more: that one was moved, "
		    "or something is mounted over it (it is now %s); mail is still stored there: "
		    "stop the daemon, put that directory back to %s, and start again, else this "
		    "mail is missing at the next start", w->path, now, w->path);
	log_error("%s", text);
	notices_add(d, NOTICE_SPOOL, str_of(w->path), "%s", text);
}

static void
watch_spool_timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	struct watch_spool *w = d->spool_watch;
	bool is_moved = watch_spool_is_moved(w, d->spool_fd);

	(void)fd;
	(void)what;
	if (!w->is_marked && d->floor_ms >= 0)
		watch_spool_write_marker(w, d);
	if (is_moved && !w->is_moved)
		watch_spool_report(w, d);
	if (!is_moved && w->is_moved) {
		log_info("spool: %s is the directory that is in use again", w->path);
		notices_over(d, NOTICE_SPOOL, str_of(w->path),
		    "over: spool: %s is the directory that is in use again", w->path);
	}
	w->is_moved = is_moved;
}

const char *
watch_spool_trouble(const struct daemon *d)
{
	return d->spool_watch && d->spool_watch->is_moved
	    ? "the spool was moved or removed, see the log"
	    : "";
}

void
watch_spool_start(struct daemon *d)
{
	struct timeval every = {.tv_sec = CHECK_EVERY_S};
	struct watch_spool *w = MEM_NEW(struct watch_spool);

	snprintf(w->path, sizeof w->path, "%.*s", STR_ARG(d->conf->queue.directory));
	w->timer = event_new(d->base, -1, EV_PERSIST, watch_spool_timer_fired, d);
	if (!w->timer || event_add(w->timer, &every) != 0)
		die("no timer");
	d->spool_watch = w;
}

void
watch_spool_stop(struct daemon *d)
{
	event_free(d->spool_watch->timer);
	mem_free(d->spool_watch);
	d->spool_watch = NULL;
}
