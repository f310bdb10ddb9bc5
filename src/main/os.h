/*
 * os: users, descriptors, limits and the log target, as the operating system provides them; and the
 * report of a failure that ends the daemon.
 */
#ifndef MAIN_OS_H
#define MAIN_OS_H

#include <sys/stat.h>

#include "base/log.h"
#include "main/daemon.h"

/* Fills in the user of each role.  As root: conf->user (absent: sallyport), or an account of the
 * role's own, "<user>-keys", "-auth", "-queue", where it exists; else the caller.  False: there is
 * no such user, or it is not suitable (nobody, root); the failure is reported. */
bool os_role_users(const struct conf *c, struct os_user identities[ROLE_KINDS]) MUST_USE;

/* True if the configured user exists and is suitable.  False: why contains the reason. */
bool os_check_user(const struct conf *c, struct buf *why) MUST_USE;

struct os_log {
	int fd; /* -1: not open; 2 is never closed */
	enum log_target target;
	int error;      /* errno of the failed open */
	bool is_former; /* not open: lines go where they went before */
	bool is_made;   /* this open created the file */
};

/* The path of the log target. */
struct str os_log_path(const struct conf *c);

/* Opens the configured log target; false with errno, which is also in out->error, and out->fd is
 * -1. */
bool os_open_log(const struct conf *c, struct os_log *out) MUST_USE;
/* The log is not used: a file that os_open_log created is removed if it is empty. */
void os_discard_log(const struct conf *c, const struct os_log *log);
/* From now on lines go to that log; log->fd is taken.  If it is not open, they go to stderr, or
 * where they went before, and that is logged. */
void os_use_log(const struct conf *c, uint64_t secret, struct os_log *log);
/* For a check of a configuration file: an error if the path of the log exists and is not a regular
 * file. */
void os_report_log(const char *config, const struct conf *c, struct conf_report *report);

/* Opens /dev/null for those of the descriptors 0 to 2 that the caller closed, so that no socket
 * gets such a number. */
void os_fill_standard_descriptors(void);
/* "uid 5 (sallyport)"; "uid 5" for a user without a name. */
enum { OS_USER_TEXT_BYTES = OS_USER_NAME_BYTES + 32 };
const char *os_user_text(const struct os_user *user, char out[OS_USER_TEXT_BYTES]);
/* Raises the limit of open files to what the system allows. */
void os_raise_limits(void);

/* Checks that a channel can carry our largest packets.  0, or what daemon_report_failure
 * returned. */
int os_check_channels(void) MUST_USE;

/* Warns that a path `what` ("is open to others"), with the command that corrects it. */
void os_warn_of_mode(struct str path, const char *what, const struct stat *st);
/* Reports why the daemon does not start, or ends: one line in the log, on standard error and for
 * the service manager.  Returns the exit status. */
int daemon_report_failure(int exit_status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
